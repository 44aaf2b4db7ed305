/** Checks of what came over the wire: a value of the right type, or a `Mismatch` that names the place. */

export class Mismatch extends Error {
  constructor(wanted: string, readonly place: string) {
    super(`${place || "the answer"} is not ${wanted}`);
  }
}

export type Check<T> = (value: unknown, place: string) => T;
export type Checked<C> = C extends Check<infer T> ? T : never;

const ofType =
  <T>(wanted: string, is: (value: unknown) => value is T): Check<T> =>
  (value, place) => {
    if (!is(value)) throw new Mismatch(wanted, place);
    return value;
  };

export const string = ofType("a string", (value): value is string => typeof value === "string");
export const number = ofType("a number", (value): value is number => typeof value === "number");
export const boolean = ofType("a boolean", (value): value is boolean => typeof value === "boolean");
const plainObject = ofType(
  "an object",
  (value): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value),
);
const array = ofType("a list", (value): value is unknown[] => Array.isArray(value));

/** One of these words. */
export const word = <T extends string>(...words: readonly T[]): Check<T> =>
  ofType(`one of ${words.join(", ")}`, (value): value is T => words.some((one) => one === value));

export const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, place) =>
    array(value, place).map((item, index) => check(item, `${place}[${String(index)}]`));

export const record =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (value, place) =>
    Object.fromEntries(
      Object.entries(plainObject(value, place)).map(([key, item]) => [key, check(item, `${place}.${key}`)]),
    );

/** What may be missing or null: then it is `otherwise`. */
export const optional =
  <T, U>(check: Check<T>, otherwise: U): Check<T | U> =>
  (value, place) =>
    value === undefined || value === null ? otherwise : check(value, place);

/** An object with these fields; others are left out. */
export const object =
  <F extends Record<string, Check<unknown>>>(fields: F): Check<{ [K in keyof F]: Checked<F[K]> }> =>
  (value, place) => {
    const given = plainObject(value, place);
    const checked = Object.entries(fields).map(([key, check]) => [key, check(given[key], place ? `${place}.${key}` : key)]);
    return Object.fromEntries(checked) as { [K in keyof F]: Checked<F[K]> };
  };

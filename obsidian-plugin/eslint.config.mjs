import obsidianmd from "eslint-plugin-obsidianmd";
import { defineConfig, globalIgnores } from "eslint/config";

const noObsidian = (room) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        paths: [{ name: "obsidian", message: `${room}/ knows nothing of Obsidian: take what is needed as an argument.` }],
        patterns: [{ group: ["**/features/**", "**/views/**"], message: "Imports point downwards: features → rooms." }],
      },
    ],
  },
});

export default defineConfig([
  globalIgnores(["main.js", "node_modules/"]),
  ...obsidianmd.configs.recommendedWithLocalesEn,
  { languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["*.mjs"] } } } },
  {
    files: ["**/*.ts"],
    rules: {
      "@typescript-eslint/explicit-function-return-type": ["error", { allowExpressions: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
    },
  },
  {
    files: ["src/i18n/en.ts"],
    rules: {
      "obsidianmd/ui/sentence-case-locale-module": ["warn", { ignoreWords: ["Vaultbridge", "English", "Chinese"] }],
    },
  },
  ...["bridge", "chat", "writing", "editor"].map(noObsidian),
  {
    files: ["tests/**/*.ts", "*.mjs", "*.config.ts"],
    rules: {
      // What runs in Node or stands in for Obsidian itself.
      "obsidianmd/no-nodejs-modules": "off",
      "obsidianmd/prefer-create-el": "off",
      "obsidianmd/prefer-instanceof": "off",
      "obsidianmd/ui/sentence-case": "off",
      "obsidianmd/prefer-file-manager-trash-file": "off",
      "import/no-nodejs-modules": "off",
      "no-undef": "off",
      "@typescript-eslint/explicit-function-return-type": "off",
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-base-to-string": "off",
    },
  },
]);

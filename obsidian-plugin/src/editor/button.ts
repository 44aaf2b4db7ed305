/** A button in the text that leaves the cursor where it is. */
export function button(parent: HTMLElement, label: string, press: () => void, cls = ""): void {
  const made = parent.createEl("button", { text: label, cls: `vaultbridge-button ${cls}`.trim(), attr: { type: "button" } });
  made.addEventListener("mousedown", (event) => {
    event.preventDefault();
  });
  made.addEventListener("click", (event) => {
    event.preventDefault();
    press();
  });
}

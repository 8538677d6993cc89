/** Elements of the page. */

export function find(within: ParentNode, selector: string): HTMLElement {
  const element = within.querySelector<HTMLElement>(selector);
  if (element === null) throw new Error(`The page has no ${selector}`);
  return element;
}

/** A copy of a template's only element. */
export function copyOf(id: string): HTMLElement {
  const { content } = find(document, `template#${id}`) as HTMLTemplateElement;
  return document.importNode(content, true).firstElementChild as HTMLElement;
}

/** Calls `changed` with the value of each switch that is thrown. */
export function onSwitch(within: HTMLElement, changed: (name: string, isOn: boolean) => void): void {
  for (const box of within.querySelectorAll<HTMLInputElement>('input[role=switch]')) {
    // A browser may restore what was thrown before a reload.
    box.checked = false;
    box.addEventListener('change', () => changed(box.value, box.checked));
  }
}

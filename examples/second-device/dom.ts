/** The elements of the page, by their ids. */

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

export function show(isShown: boolean, ...ids: readonly string[]): void {
  for (const id of ids) byId(id).hidden = !isShown;
}

/** The Enter key is the button that is shown as the main one, and does not close the dialog. */
export function enterIsPrimary(dialog: HTMLDialogElement): void {
  dialog.querySelector('form')!.addEventListener('submit', (event) => {
    event.preventDefault();
    dialog.querySelector<HTMLButtonElement>('button.primary:not([hidden])')?.click();
  });
}

/** What went wrong, for people. Messages of nostr-sync hold no secrets. */
export function say(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The page's elements, and what a failed action shows. */

// eslint-disable-next-line typescript/no-unnecessary-type-parameters -- as `querySelector` has it: the page is ours
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element as T;
}

/** Runs what a form or button asks for; shows the failure beside it, and lets nobody ask twice meanwhile. */
export async function attempt(action: () => Promise<unknown>, at?: HTMLElement): Promise<void> {
  const problem = at?.querySelector('.error') ?? byId('problem');
  const button = at instanceof HTMLButtonElement ? at : at?.querySelector('button:not([type])');
  // Not `disabled`: that would take the focus away from it.
  if (button?.ariaDisabled === 'true') return;
  problem.textContent = '';
  if (button) button.ariaDisabled = 'true';
  try {
    await action();
  } catch (error) {
    problem.textContent = messageOf(error);
  } finally {
    if (button) button.ariaDisabled = null;
  }
}

/** The app's commands reject with `{ code, message }`, the plugin with errors that have both as well. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : 'That did not work.';
}

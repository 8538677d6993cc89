/** The page that all of these apps have: a button that shows the theme, and chooses the other one. */

/** @param {(theme: string) => void} choose */
export function show(choose) {
  const button = document.createElement('button');
  button.addEventListener('click', () => choose(button.textContent === 'light' ? 'dark' : 'light'));
  document.body.append(button);
  return (theme) => {
    button.textContent = theme;
  };
}

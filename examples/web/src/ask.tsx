/** One question, and what is wrong with the answer. */

import { useState, type ReactNode } from 'react';

export const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function Ask({
  label,
  onText,
}: {
  label: string;
  onText: (text: string) => Promise<void>;
}): ReactNode {
  const [problem, setProblem] = useState('');
  const answer = (form: FormData): Promise<void> =>
    onText(String(form.get('text')).trim()).catch((error: unknown) => setProblem(say(error)));
  return (
    <form action={answer}>
      <label>
        {label} <input name="text" autoComplete="off" spellCheck={false} required />
      </label>
      <button className="primary">Continue</button>
      <p role="alert">{problem}</p>
    </form>
  );
}

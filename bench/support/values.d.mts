export function numbersOf(seed: number): () => number;
export const VALUES: Readonly<
  Record<
    'rows' | 'prose' | 'minified JSON',
    (bytes: number, random: () => number) => string | readonly unknown[]
  >
>;
export function editedValue<V>(kind: keyof typeof VALUES, value: V, random: () => number): V;

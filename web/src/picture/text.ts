// Text in pictures, where nothing wraps or clips it.

/** At most so many characters, the last one … where some are missing. */
export const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

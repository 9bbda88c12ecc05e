/** The `%%lambda` line of a cell: whether there is one, and the text with or without it. */

const LINE = /^(?:[ \t]*\n)*%%lambda(?!\w)[^\n]*(?:\n|$)/;

/** Whether a cell's text begins with `%%lambda`. */
export function runsOnLambda(source: string): boolean {
  return LINE.test(source);
}

/** Whether a cell begins with another cell magic, above which `%%lambda` cannot stand. */
export function hasOtherMagic(source: string): boolean {
  return /^\s*%%/.test(source) && !runsOnLambda(source);
}

/** The text with the line if it has none, without it if it has one. */
export function toggled(source: string, line = '%%lambda'): string {
  return runsOnLambda(source) ? source.replace(LINE, '') : `${line}\n${source}`;
}

/** The settings, as the schema has them. */

export interface ISettings {
  showStatus: boolean;
  showBadges: boolean;
  notifyAfterSeconds: number;
  magicLine: string;
}

const DEFAULTS: ISettings = { showStatus: true, showBadges: true, notifyAfterSeconds: 30, magicLine: '%%lambda' };

/** The settings; what is missing or of another type is as by default. */
export function readSettings(composite: { [key: string]: unknown } = {}): ISettings {
  const read = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof ISettings)[]) {
    const value = composite[name];
    if (typeof value === typeof DEFAULTS[name]) {
      Object.assign(read, { [name]: value });
    }
  }
  return read;
}

export function transpile(name: string, change?: (path: string, source: string) => string): Promise<string>;
export function sources(): string[];

/** A frozen copy of an object, prototype, symbols and accessors included, with some of its members replaced. */
export function copyWith<T extends object>(object: T, members: { readonly [name: string]: unknown }): T {
  const descriptors = Object.getOwnPropertyDescriptors(object) as PropertyDescriptorMap;
  for (const [name, value] of Object.entries(members)) {
    descriptors[name] = { value, enumerable: true, writable: false, configurable: false };
  }
  return Object.freeze(Object.create(Object.getPrototypeOf(object), descriptors));
}

export function signalIn(options: unknown, name: string): AbortSignal | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  const signal: unknown = Reflect.get(options, name);
  return signal instanceof AbortSignal ? signal : undefined;
}

export const define: import('./command.ts').Define = () => {};

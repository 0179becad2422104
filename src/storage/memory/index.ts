export { type MemoryLogOptions, openMemoryLog } from './memory-log.ts';

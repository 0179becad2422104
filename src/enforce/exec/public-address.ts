import { BlockList, type IPVersion, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** IANA special-purpose registry, and multicast: nothing of it is a host on the internet. */
const SPECIAL_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local, and with it the metadata services of clouds.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // Metadata and host agents of clouds at addresses that look public (Azure, Alibaba's lies in 100.64/10).
  ['168.63.129.16', 32],
];
/** Within 2000::/3, which is all that is public: protocol assignments, documentation, and IPv4 in disguise (6to4). */
const SPECIAL_V6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const special = new BlockList();
for (const [network, prefix] of SPECIAL_V4) special.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of SPECIAL_V6) special.addSubnet(network, prefix, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is a host on the internet: no part of this machine, of a private network, or of a cloud's inside. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4');
  return isIPv6(address) && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

/** Of this machine as it is now: interfaces come and go. */
export function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((interfaces) =>
    (interfaces ?? []).map(({ address }) => address),
  );
}

/** In whatever spelling they are asked for. */
export function addressList(addresses: readonly string[]): BlockList {
  const list = new BlockList();
  for (const address of addresses) list.addAddress(address, familyOf(address));
  return list;
}

export function familyOf(address: string): IPVersion {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

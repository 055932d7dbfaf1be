import { loginTo, type Member } from '../droplet/member.js';

/** The hint for a droplet without room for images. */
export function freeSpace(member: Member): string {
  const there = loginTo(member);
  return `See what takes the space: ${there} docker system df. Remove images without a name: ${there} docker image prune --force`;
}

import { loginTo, type Member } from './member.js';

/** What to type when Docker does not answer: it is not installed, not open to the SSH user, or not running. */
export function dockerRemedy(member: Member, reason: string): string {
  const login = loginTo(member);
  if (/docker: (command )?not found|not found: docker/i.test(reason)) {
    return `Install Docker Engine: ${login} 'curl -fsSL https://get.docker.com | sudo sh'`;
  }
  if (/permission denied/i.test(reason)) {
    return `Let the SSH user use Docker, then deploy again: ${login} 'sudo usermod -aG docker "$USER"'`;
  }
  return `Start it: ${login} sudo systemctl start docker`;
}

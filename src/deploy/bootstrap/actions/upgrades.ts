/** Security updates, installed every day by the distribution's own means. */
import { type Action, left } from '../action.js';
import { installLines } from '../apt.js';
import { isOwn, writeLines } from '../own-files.js';
import { readFile, readOutput } from '../read.js';

/** After the package's own 20auto-upgrades, which it does not write where nothing may be asked. */
const FILE = '/etc/apt/apt.conf.d/21do-deploy-upgrades';

const CONTENT = `// Written by do-deploy bootstrap.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
`;

export const upgrades: Action = {
  name: 'upgrades',
  reads: () => [
    readOutput('package', `dpkg-query -W -f '\${db:Status-Status}' unattended-upgrades`),
    readOutput('periodic', "apt-config dump --format '%f=%v%n' APT::Periodic"),
    readFile('file', FILE),
  ],
  plan(read, { wanted }) {
    if (!wanted.unattendedUpgrades) return [];
    const isInstalled = read.one('package') === 'installed';
    const periodic = read.one('periodic') ?? '';
    const isOn = ['Update-Package-Lists', 'Unattended-Upgrade'].every((name) =>
      new RegExp(`APT::Periodic::${name}=(?!0\\b)[\\w]`).test(periodic),
    );
    if (isInstalled && isOn) return [];
    const current = read.file('file');
    if (current !== undefined && !isOwn(current)) return [left(`${FILE} is not do-deploy's`)];
    if (isInstalled && current === CONTENT) return [left('another file for apt switches unattended upgrades off')];
    return [
      {
        kind: 'change',
        sentence: 'install security updates every day',
        files: [FILE],
        script: [...(isInstalled ? [] : installLines('unattended-upgrades')), ...writeLines(FILE, CONTENT, '644')],
        ...(!isInstalled && { usesApt: true }),
      },
    ];
  },
};

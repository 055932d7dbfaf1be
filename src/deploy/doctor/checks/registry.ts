/** Whether the droplets can pull what the compose files name. */

import { configFile } from '../../core/do-deploy.js';
import { errorLine } from '../../core/output-lines.js';
import { buildFor } from '../../staging/check-architecture.js';
import { loginName } from '../../staging/registry-login.js';
import type { Facts } from '../facts.js';
import type { Found } from '../found.js';

export function checkRegistry({ roles }: Facts): Found[] {
  return roles.flatMap(({ droplets, settings }) =>
    droplets.flatMap(({ name, images, machine, compose }): Found[] => {
      if (images === undefined) return [];
      const { registry } = settings;
      if (images.loginRefused !== undefined) {
        const who = registry === undefined ? '' : ` as ${loginName(registry)}`;
        return [
          {
            name: 'registry-login',
            droplet: name,
            message: `The registry ${registry?.server ?? ''} refused the login${who}: ${errorLine(images.loginRefused)}`,
            fix: `Check registry: in ${configFile(settings)} and the variables that it names.`,
          },
        ];
      }
      const own = machine?.architecture;
      const used = new Set(compose?.services.map(({ image }) => image));
      return [...images.architectures].flatMap(([image, built]): Found[] => {
        // A service whose profile is off is not pulled.
        if (compose !== undefined && !used.has(image)) return [];
        if (built === undefined) {
          return [
            {
              name: 'image-unavailable',
              droplet: name,
              message: `The registry does not show ${image}.`,
              fix: `Check its name and tag, that it was pushed, and that ${registry === undefined ? 'it needs no login' : `${loginName(registry)} may pull it`}.`,
            },
          ];
        }
        if (own === undefined || built.length === 0 || built.includes(own)) return [];
        const variants = [...new Set(built)].filter((one) => one !== 'unknown').join(', ');
        const message = `${image} is built for ${variants}, and the droplet is ${own}.`;
        return [{ name: 'image-platform', droplet: name, message, fix: buildFor(`linux/${own}`) }];
      });
    }),
  );
}

import { dockerContract } from '../contract/docker-contract.js';
import { Machine } from './lab/machine.js';
import { inRoot, REGISTRY } from './lab/region.js';

dockerContract('Docker Engine', async () => {
  const machine = await Machine.start({
    name: 'contract',
    publicAddress: '203.0.113.250',
    privateAddress: '10.10.0.250',
    folder: inRoot('contract'),
    authorizedKey: '',
  });
  await machine.ready();
  await machine.must('mkdir /root/contract');
  return {
    run: (script) => machine.sh(`cd /root/contract; exec sh -c "$(cat <<'SCRIPT-ENDS'\n${script}\nSCRIPT-ENDS\n)"`),
    images: {
      web: `${REGISTRY}/shop:v1`,
      webNext: `${REGISTRY}/shop:v2`,
      sick: `${REGISTRY}/shop:broken`,
      exits: `${REGISTRY}/shop:crash`,
      oneShot: `${REGISTRY}/shop:exits`,
      absent: `${REGISTRY}/shop:absent`,
    },
    dispose: () => machine.stop(),
  };
});

import { dockerContract } from '../contract/docker-contract.js';
import { Machine } from './lab/machine.js';
import { inRoot, REGISTRY } from './lab/region.js';

const ENGINES = [
  { engine: 'Docker Engine', name: 'contract', address: 250, containerdStore: false },
  { engine: "Docker Engine with containerd's image store", name: 'contract-2', address: 251, containerdStore: true },
];

for (const { engine, name, address, containerdStore } of ENGINES) {
  dockerContract(engine, async () => {
    const machine = await Machine.start({
      name,
      publicAddress: `203.0.113.${address}`,
      privateAddress: `10.10.0.${address}`,
      folder: inRoot(name),
      authorizedKey: '',
      containerdStore,
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
      clean: () => machine.sh('docker ps -aq | xargs --no-run-if-empty docker rm --force'),
      dispose: () => machine.stop(),
    };
  });
}

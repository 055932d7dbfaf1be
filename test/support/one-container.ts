/** A droplet's answer about its containers: one runs, and publishes its port 80 at `port`. */
export function oneContainer(port: number): string {
  return `now 1000
${JSON.stringify([
  {
    Id: 'c1',
    Image: 'sha256:1',
    RestartCount: 0,
    State: { Status: 'running', OOMKilled: false, ExitCode: 0, Error: '', Pid: 7, StartedAt: '1970-01-01T00:00:00Z' },
    Config: { Image: 'web', Labels: { 'com.docker.compose.service': 'web' } },
    HostConfig: { RestartPolicy: { Name: 'no' }, NetworkMode: 'shop_default' },
    NetworkSettings: { Ports: { '80/tcp': [{ HostPort: String(port) }] } },
  },
])}`;
}

/** Waits on a booting droplet, without a deployer, until the release is healthy: the rules of rollout/health.ts. */
import type { HttpCheckSettings } from '../../config/settings.js';
import { type ServiceSpec, STEADY_MS } from '../../rollout/health.js';
import { quote, SECOND } from '../core/shell.js';

/** In Python, which is on every droplet that reads user data, because `docker inspect` answers in JSON. */
const PROGRAM = `import json, os, subprocess, sys, time, urllib.request

wanted = json.loads(os.environ["HEALTH"])
before = None


def docker(*words):
    return subprocess.run(["docker"] + list(words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20).stdout


def look():
    label = "label=com.docker.compose."
    ids = docker("ps", "-aq", "--no-trunc", "--filter", label + "project=" + wanted["app"], "--filter", label + "oneoff=False")
    return json.loads(docker("inspect", *ids.decode().split())) if ids.strip() else []


def sickness(service, state):
    health = (state.get("Health") or {}).get("Status", "none")
    if state["Status"] == "running":
        if health not in ("healthy", "none"):
            return "is " + health
        return "still runs" if service["oneShot"] else None
    if state["Status"] == "exited" and state["ExitCode"] == 0 and (service["oneShot"] or not service["stays"]):
        return None
    return "is %s, exit code %d" % (state["Status"], state["ExitCode"])


def judge(containers):
    for service in wanted["services"]:
        own = [one["State"] for one in containers
               if (one["Config"].get("Labels") or {}).get("com.docker.compose.service") == service["name"]]
        for state in own:
            why = sickness(service, state)
            if why:
                return "%s %s" % (service["name"], why)
        if len(own) < service["replicas"]:
            return "%s has %d of %d containers" % (service["name"], len(own), service["replicas"])
    return asked()


def asked():
    http = wanted.get("http")
    if not http:
        return None
    try:
        status = urllib.request.urlopen(http["url"], timeout=http["timeout"]).status
        return None if 200 <= status <= 299 else "the app's check answers %d" % status
    except Exception as error:
        return "the app's check fails: %s" % error


deadline = time.monotonic() + wanted["seconds"]
while True:
    try:
        containers = look()
        sick = judge(containers)
        # Twice in a row, and nothing was started anew meanwhile.
        now = [(one["Id"], one["State"]["StartedAt"]) for one in containers]
        if not sick and now == before:
            sys.exit(0)
        before = None if sick else now
    except Exception as error:
        sick, before = "Docker does not answer: %s" % error, None
    if time.monotonic() >= deadline:
        print("not healthy within %d s: %s" % (wanted["seconds"], sick or "it was just started"))
        sys.exit(1)
    time.sleep(wanted["pause"])
`;

/**
 * The script ends with 0 as soon as every service is healthy at two looks in a row, between which no container was started
 * anew; with 1 at the timeout, saying what is not healthy.
 */
export function healthScript(
  app: string,
  services: readonly ServiceSpec[],
  { timeoutMs, http }: { timeoutMs: number; http?: HttpCheckSettings | undefined },
): string {
  const wanted = {
    app,
    services: services.map(({ name, replicas, stays, oneShot }) => ({ name, replicas, stays, oneShot })),
    http: http && { url: `http://127.0.0.1:${http.port}${http.path}`, timeout: http.timeoutMs / SECOND },
    seconds: Math.ceil(timeoutMs / SECOND),
    pause: STEADY_MS / SECOND,
  };
  return `HEALTH=${quote(JSON.stringify(wanted))} exec python3 -c ${quote(PROGRAM)}`;
}

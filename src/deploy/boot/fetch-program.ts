/**
 * Fetches the bundle on a booting droplet, and verifies it. In Python, because cloud-init itself is: it is on every droplet
 * that reads user data, while curl may be missing, and signs requests wrongly before 8.0. openssl verifies and decrypts.
 *
 * It ends with 0 and leaves `bundle.tar` in the folder that is its argument, with 3 when it refuses what it found, and with
 * 1 when there was no answer in time. Its settings are variables of the environment, which only root can read.
 */

import { FIRST_LINE, MAX_POINTER_BYTES, POINTER } from '../bundle/record.js';
import { ITERATIONS } from './pack-bundle.js';

export const FETCH_PROGRAM = `import base64, datetime, hashlib, hmac, os, re, subprocess, sys, time
import urllib.error, urllib.parse, urllib.request

env = os.environ
work = sys.argv[1]
deadline = time.monotonic() + float(env["BOOT_WAIT"])


class Refused(Exception):
    pass


class Failed(Exception):
    pass


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def say(text):
    print(time.strftime("%H:%M:%S", time.gmtime()), text, flush=True)


def hash_of(data):
    return hashlib.sha256(data).hexdigest()


def get(key, most):
    path = urllib.parse.quote("/" + env["BOOT_BUCKET"] + "/" + key, safe="/-_.~")
    host = urllib.parse.urlsplit(env["BOOT_ENDPOINT"]).netloc
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = [day, env["BOOT_REGION"], "s3", "aws4_request"]
    headers = {"host": host, "x-amz-content-sha256": hash_of(b""), "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = ["%s:%s\\n" % (name, headers[name]) for name in sorted(headers)]
    canonical = "\\n".join(["GET", path, "", "".join(lines), names, headers["x-amz-content-sha256"]])
    text = "\\n".join(["AWS4-HMAC-SHA256", stamp, "/".join(scope), hash_of(canonical.encode())])
    signing = ("AWS4" + env["BOOT_SECRET_KEY"]).encode()
    for part in scope + [text]:
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    credential = env["BOOT_ACCESS_KEY"] + "/" + "/".join(scope)
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s" % (
        credential, names, signing.hex())
    request = urllib.request.Request(env["BOOT_ENDPOINT"] + path, headers=headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as answer:
            data = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        code = re.search(rb"<Code>([A-Za-z]{1,60})</Code>", error.read(10000))
        raise Failed("%s: HTTP %d %s" % (key, error.code, code.group(1).decode() if code else ""))
    except Exception as error:
        raise Failed("%s: %s" % (key, error))
    if len(data) > most:
        raise Refused("%s is larger than it may be" % key)
    return data


def openssl(*words):
    return subprocess.run(["openssl"] + list(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def place(name, data):
    path = os.path.join(work, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def pointer():
    key = env["BOOT_FOLDER"] + "${POINTER}"
    data = get(key, ${MAX_POINTER_BYTES})
    found = re.fullmatch(rb"(.*\\n)signature ([A-Za-z0-9+/]{86}==)\\n", data, re.DOTALL)
    if not found:
        raise Refused(key + " is cut off, or is no pointer to a bundle")
    signed, signature = found.groups()
    files = ["-inkey", place("key.pem", env["BOOT_PUBLIC_KEY"].encode()), "-in", place("signed", signed)]
    files += ["-sigfile", place("signature", base64.b64decode(signature))]
    if not openssl("pkeyutl", "-verify", "-pubin", "-rawin", *files):
        raise Refused(key + " is not signed with the deployers' key")
    first, *lines = signed.decode().splitlines()
    if first != "${FIRST_LINE}":
        raise Refused(key + " is for another version of do-deploy: make new user data")
    record = dict(line.split(" ", 1) for line in lines)
    for name in ["app", "environment", "role"]:
        if record[name] != env["BOOT_" + name.upper()]:
            raise Refused("%s is that of the %s %s" % (key, name, record[name]))
    if int(record["sequence"]) < int(env["BOOT_SEQUENCE"]):
        raise Refused("%s is older than this user data: release %s of rollout %s, instead of %s or later" % (
            key, record["release"], record["sequence"], env["BOOT_SEQUENCE"]))
    return record


def bundle(record):
    key = env["BOOT_FOLDER"] + record["object"]
    data = get(key, int(record["size"]))
    if len(data) < int(record["size"]):
        raise Refused("%s is cut off: %d bytes instead of %s" % (key, len(data), record["size"]))
    if hash_of(data) != record["sha256"]:
        raise Refused(key + " was altered: it is not what the deployers signed")
    if record["encrypted"] == "no":
        place("bundle.tar", data)
        return
    if not env["BOOT_KEY"]:
        raise Refused(key + " is encrypted, and this user data has no key: make new user data")
    files = ["-in", place("encrypted", data), "-out", os.path.join(work, "bundle.tar")]
    if not openssl("enc", "-d", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter", "${ITERATIONS}", "-pass", "env:BOOT_KEY", *files):
        raise Refused(key + " cannot be decrypted with the key of this user data: make new user data")
    os.remove(os.path.join(work, "encrypted"))


def fetch():
    record = pointer()
    say("fetching release %s" % record["release"])
    try:
        bundle(record)
    except (Failed, Refused):
        # A deploy may have ended just now, and removed the bundle that it replaced.
        if pointer() == record:
            raise
        raise Failed("the pointer has moved on")


if not openssl("version"):
    say("openssl is missing")
    sys.exit(1)
while True:
    try:
        fetch()
        break
    except Refused as error:
        say("refused: %s. Nothing was started." % error)
        sys.exit(3)
    except Failed as error:
        if time.monotonic() >= deadline:
            say("the bundle cannot be fetched: %s. Nothing was started." % error)
            sys.exit(1)
        say("waiting for the bundle: %s" % error)
        time.sleep(5)
`;

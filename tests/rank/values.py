"""Credentials made to shape: what people choose, what machines draw. No value of anybody is among them."""
import base64
import random
import string

WORDS = """apple arrow autumn banana basket bear beach berry birch bird blue boat book bottle bread breeze bridge bright
brook brown bucket butter button cabin camel candle canyon carbon castle cedar chair cherry cloud clover cobra coffee
comet copper coral corner cotton cricket crystal dancer desert diamond dolphin door dragon dream eagle earth ember
engine falcon feather field finch fire fish flame flower forest fox friday frost galaxy garden ginger glacier gold
grape green hammer happy harbor hawk hazel heron hill honey horse house hunter ice iron island ivory jaguar jasmine
jungle keeper kitten knight lake lantern lemon leopard light lilac lion lizard london lucky magic mango maple marble
market meadow melon metal midnight mirror monday monkey moon morning mountain music needle night north ocean olive
orange orchid otter owl panda paper paris pearl pepper piano pigeon pine planet plum pocket pony prairie purple python
quartz queen rabbit rain raven red ribbon river robin rocket rose ruby saddle sailor salmon sand saturn shadow silver
sky snow soccer spring spruce star stone storm sugar summer sun sunday sunset table tango thunder tiger timber tower
train tulip turtle valley velvet violet walnut water whale wheat white willow wind window winter wizard wolf yellow
zebra""".split()
NAMES = """adam alex alice amy andrea anna anton ben bob carlos carol charlie chris clara dan daniel david emma eric eva
felix frank george hanna helen igor ivan jack james jan jane jessica john jonas jose julia karl kate kevin laura leo
linda lisa lucas maria mark martin max mia michael mike nina oliver olga oscar paul peter robert rosa sam sara simon
sofia steve susan thomas tina tom victor walter zoe""".split()
ROLES = "admin root user test dev prod service backup deploy oracle mysql postgres manager guest support web ftp".split()
SIGNS = "!@#$%&*?+-_.=^~"
LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8", "g": "9"}
KEYS = "qwe qwer qwerty asd asdf asdfgh zxc zxcv 1qaz 2wsx 1q2w3e 1q2w3e4r qaz wsx edc 123qwe !qaz poi lkj".split()
A62 = string.ascii_letters + string.digits
LNUM = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"


def draw(r, alphabet, n):
    return "".join(r.choice(alphabet) for _ in range(n))


def scramble(r, text):
    """Another character of the same class for each: what a person's password looks like once it is hidden."""
    out = []
    for c in text:
        if c.islower() and c.isascii():
            out.append(r.choice(string.ascii_lowercase))
        elif c.isupper() and c.isascii():
            out.append(r.choice(string.ascii_uppercase))
        elif c.isdigit():
            out.append(r.choice(string.digits))
        else:
            out.append(c)
    return "".join(out)


def leet(r, word):
    return "".join(r.choice(LEET[c]) if c in LEET and r.random() < 0.5 else c for c in word)


def word(r):
    return r.choice(r.choice((WORDS, WORDS, NAMES, ROLES)))


def cased(r, text):
    return r.choice((text, text, text.capitalize(), text.capitalize(), text.upper()))


def number(r):
    return r.choice((str(r.randrange(1950, 2027)), str(r.randrange(10)), str(r.randrange(100)), f"{r.randrange(1000):03}",
                     "123", "1234", "12345", str(r.randrange(10000, 999999))))


def human(r):
    """A password as people make them."""
    k = r.randrange(14)
    if k <= 2:
        return cased(r, word(r)) + number(r)
    if k == 3:
        return cased(r, word(r)) + number(r) + r.choice(SIGNS)
    if k == 4:
        return cased(r, word(r)) + r.choice(SIGNS) + number(r)
    if k == 5:
        return leet(r, cased(r, word(r))) + r.choice(("", number(r), r.choice(SIGNS)))
    if k == 6:
        return cased(r, word(r)) + r.choice(("", "-", "_", ".", "@", "#")) + cased(r, word(r)) + r.choice(("", number(r)))
    if k == 7:
        return r.choice(KEYS) + r.choice(("", number(r), r.choice(KEYS), "!@#", r.choice(SIGNS)))
    if k == 8:
        return r.choice(("P@ssw0rd", "Passw0rd", "Adm1n", "S3cret", "W3lcome", "Pa55word", "Qwerty", "L3tMeIn",
                         "R00t", "Ch4ngeIt", "Login", "Secr3t")) + r.choice(("", number(r), "!", "1!", "#" + number(r)))
    if k == 9:
        return number(r) + cased(r, word(r)) + r.choice(("", r.choice(SIGNS)))
    if k == 10:
        return r.choice(("-", "_", ".", "")).join(r.choice(WORDS) for _ in range(r.randrange(3, 6)))
    if k == 11:
        return draw(r, string.ascii_lowercase, r.randrange(5, 13))
    if k == 12:
        return cased(r, word(r) + r.choice(("", word(r))))
    return draw(r, string.digits, r.choice((4, 5, 6, 6, 8, 8, 10)))


def drawn(r):
    """A password as a generator makes it."""
    n = r.choice((8, 8, 10, 10, 12, 12, 14, 16, 16, 18, 20, 24, 32))
    alphabet = r.choice((A62, A62, A62, A62 + SIGNS, A62 + "!@#$%^&*", A62 + "-_", LNUM, string.ascii_letters))
    return draw(r, alphabet, n)


def password(r):
    x = r.random()
    if x < 0.26:
        return drawn(r)
    value = human(r)
    for _ in range(8):
        if len(value) >= 5:
            break
        value = human(r)
    return scramble(r, value) if r.random() < 0.6 else value


def token(r):
    """A value as services issue them."""
    k = r.randrange(26)
    if k <= 5:
        h = draw(r, HEX, r.choice((16, 20, 24, 32, 32, 32, 32, 40, 40, 48, 64, 64, 64, 96, 128)))
        return h.upper() if r.random() < 0.12 else h
    if k <= 11:
        return draw(r, A62, r.choice((12, 15, 16, 18, 20, 22, 24, 24, 26, 28, 30, 32, 32, 32, 36, 40, 40, 43, 48, 50, 64, 64, 86)))
    if k <= 13:
        raw = bytes(r.randrange(256) for _ in range(r.choice((12, 16, 16, 18, 20, 24, 32, 32, 33, 48, 64, 64))))
        return base64.b64encode(raw).decode()
    if k == 14:
        raw = bytes(r.randrange(256) for _ in range(r.choice((15, 16, 20, 24, 32, 32, 48, 64))))
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if k == 15:
        h = draw(r, HEX, 32)
        return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))
    if k <= 18:
        prefix = draw(r, string.ascii_lowercase, r.randrange(2, 6))
        middle = r.choice(("", "", "live_", "test_", "prod-", draw(r, LNUM, 4) + "_"))
        return prefix + r.choice("_-.") + middle + draw(r, r.choice((A62, LNUM, HEX)), r.choice((16, 20, 24, 32, 36, 40, 48)))
    if k == 19:
        return draw(r, LNUM, r.choice((16, 20, 24, 25, 30, 32, 36, 40, 50)))
    if k == 20:
        return draw(r, string.ascii_uppercase + string.digits, r.choice((10, 12, 16, 20, 24, 32)))
    if k == 21:
        return draw(r, string.digits, r.choice((8, 10, 12, 16))) + r.choice((":", "-", "_", "|")) + draw(r, A62, r.choice((20, 24, 27, 32, 35)))
    if k == 22:
        return ".".join(draw(r, A62 + "-_", r.choice((10, 16, 20, 24, 32, 43))) for _ in range(r.choice((2, 3))))
    if k == 23:
        size = r.choice((4, 5, 5, 6))
        return "-".join(draw(r, r.choice((string.ascii_uppercase + string.digits, LNUM)), size) for _ in range(r.choice((3, 4, 5))))
    if k == 24:
        return draw(r, string.ascii_letters, r.choice((10, 12, 16, 20, 24, 32)))
    return draw(r, A62 + "-_", r.choice((8, 10, 12, 14, 16, 20, 22, 32)))


def basic(r):
    return base64.b64encode((word(r) + ":" + password(r)).encode()).decode()


def value(r, family):
    """A credential for a name of a family: password, secret, token, key, auth, url, cmd."""
    x = r.random()
    if family == "password":
        return token(r) if x < 0.14 else password(r)
    if family in ("url", "cmd"):
        return token(r) if x < 0.25 else password(r)
    if family == "secret":
        return password(r) if x < 0.38 else token(r)
    if family == "auth":
        return basic(r) if x < 0.25 else password(r) if x < 0.45 else token(r)
    if family == "token":
        return password(r) if x < 0.08 else token(r)
    return password(r) if x < 0.10 else token(r)


if __name__ == "__main__":
    r = random.Random(1)
    for f in ("password", "secret", "token", "key", "auth"):
        print(f, [value(r, f) for _ in range(8)])

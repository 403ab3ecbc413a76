#!/usr/bin/env python3
"""Writes the specs, users and plans of the `corners_*` sets.

usage: make_corners.py OUT_DIR [SET...]

The same bytes every time: nothing here is drawn at random.
The expected results are not written by this script: they were recorded from the reference (see README.md).
"""
import gzip
import hashlib
import json
import sys
from pathlib import Path


# ---- small builders -------------------------------------------------------------------------------------------------

def cond(kind, op=None, field=None, salt=None, idType="userID", **more):
    c = {"type": kind, "idType": idType}
    if op is not None:
        c["operator"] = op
    if field is not None:
        c["field"] = field
    if salt is not None:
        c["additionalValues"] = {"salt": salt}
    c.update(more)
    return c


def user_field(field, op, target):
    return cond("user_field", op, field, targetValue=target)


def rule(rid, conds, ret=True, pct=100, salt=None, idType="userID", **more):
    r = {"name": rid, "id": rid, "passPercentage": pct, "conditions": conds, "returnValue": ret, "idType": idType}
    if salt is not None:
        r["salt"] = salt
    r.update(more)
    return r


def gate(rules, default=False, salt="gate-salt", entity="feature_gate", enabled=True, idType="userID", **more):
    return {"type": "feature_gate", "entity": entity, "salt": salt, "enabled": enabled, "defaultValue": default, "rules": rules, "idType": idType, **more}


def config(rules, default=None, salt="config-salt", entity="dynamic_config", enabled=True, idType="userID", **more):
    return {"type": "dynamic_config", "entity": entity, "salt": salt, "enabled": enabled, "defaultValue": {} if default is None else default, "rules": rules, "idType": idType, **more}


def experiment(rules, default=None, **more):
    return config(rules, default, entity="experiment", **more)


def layer(rules, default=None, **more):
    return config(rules, default, entity="layer", **more)


def unit_bucket(salt, unit, modulus):
    return int.from_bytes(hashlib.sha256(("%s.%s" % (salt, unit)).encode()).digest()[:8], "big") % modulus


def unit_with_bucket(salt, wanted, modulus=10000):
    """The first `n<number>` that lands in the bucket."""
    n = 0
    while unit_bucket(salt, "n%d" % n, modulus) != wanted:
        n += 1
    return "n%d" % n


def djb2(text):
    """The hash under which a document lists a client key."""
    h = 0
    for c in text:
        h = (h * 31 + ord(c)) & 0xffffffff
    return str(h)


class Set:
    """One spec set in the making."""

    def __init__(self, name):
        self.name = name
        self.specs = {"has_updates": True, "time": 1700000000000, "company_id": "corners", "response_format": "dcs-v2", "checksum": "1",
                      "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}, "experiment_to_layer": {}, "condition_map": {"pub": cond("public")}}
        self.users = {}
        self.plan = {"format": 1, "name": name, "options": {}, "id_lists": {}, "gates": [], "dynamic_configs": [], "experiments": [], "layers": [],
                     "param_stores": {}, "experiment_groups": [], "gcir": [], "scripts": []}

    def user(self, uid, **fields):
        self.users[uid] = fields

    def cond(self, cid, c):
        self.specs["condition_map"][cid] = c
        return cid

    def gate(self, name, spec, ask=True):
        self.specs["feature_gates"][name] = spec
        if ask:
            self.plan["gates"].append(name)

    def check(self, name, c):
        """A gate that shows one condition."""
        self.gate(name, gate([rule("R", [self.cond(name, c)])]))

    def config(self, name, spec, ask=True):
        self.specs["dynamic_configs"][name] = spec
        if ask:
            self.plan["experiments" if spec.get("entity") == "experiment" else "dynamic_configs"].append(name)

    def layer(self, name, spec):
        self.specs["layer_configs"][name] = spec
        self.plan["layers"].append(name)

    def write(self, out):
        d = Path(out) / self.name
        d.mkdir(parents=True, exist_ok=True)
        texts = {"specs": one_a_line(self.specs), "plan": one_a_line(self.plan),
                 "users": "[\n" + ",\n".join(dumps({"id": k, "user": v}) for k, v in self.users.items()) + "\n]\n"}
        for part, text in texts.items():
            with open(d / (part + ".json.gz"), "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as f:
                f.write(text.encode())


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def one_a_line(doc):
    parts = []
    for key, value in doc.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join("    %s: %s" % (dumps(k), dumps(v)) for k, v in value.items())
            parts.append("  %s: {\n%s\n  }" % (dumps(key), inner))
        else:
            parts.append("  %s: %s" % (dumps(key), dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


# ---- the pools ------------------------------------------------------------------------------------------------------

NUMBERS = [0, -0.0, 1, 1.0, -1, 1.5, 1e21, 1e300, -1e-7, 1e16, 123456789012345680000, 9007199254740993, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -2**63, 0.1, 5e-324, 100,
           1e-5, 0.00001234, 1700000000, 1700000000000, 9999999999, 10000000000, -9999999999, -10000000000, 86399999, 86400000, -86399999, -86400000]
STRINGS = ["", "0", "-0", "+0", "1", "+1", "1.0", "01", "1e3", ".5", "5.", "+.5", "-.5e-3", ".", "e3", "1e", "inf", "-INF", "+infinity", "nan", "-nan", "0x10", "1_0", " 1", "1 ", "1\n", "٣", "１",
           "true", "null", "[]", "abc", "ABC", "ß", "SS", "İ", "i̇", "ı", "I", "ΑΣ", "ας", "ασ", "Σ", "ﬁ", "ǅ", "K", "Å", "e\u0301", "É", "Ω", "a\u0000b", "🎉",
           "1.2.3", "1.2", "v1.2", "1.2.3-beta", "-1", "1..2", "1.2.", "1. 2", "+1.2", "1.-2", "170141183460469231731687303715884105727", "170141183460469231731687303715884105728", "1.2.3+5", "00.01", "1.a",
           "9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993", "1e400", "-1e400", "1e-400", '["a",1]', '{"a":1}', "1000000000000000000000"]
TIMES = ["2023-11-14T22:13:19Z", "2023-11-14t22:13:19z", "2023-11-14 22:13:19Z", "2023-11-14 22:13:19", "2023-11-14  22:13:19", "2023-11-1422:13:19", " 2023-11-14 22:13:19", "2023-11-14 22:13:19 ",
         "2023-1-4 2:3:9", "23-1-4 2:3:9", "+2023-11-14 22:13:19", "-001-01-01 00:00:00", "2023-11-14 22:13:60", "2023-11-14T22:13:60Z", "2023-11-14 24:00:00", "2023-02-29 00:00:00", "2024-02-29 00:00:00",
         "2023-11-14T22:13Z", "2023-11-14T22:13:19", "22:13:19", "2023-11-14T2:13:19Z", "9999-12-31 23:59:59", "+262142-1-1 1:1:1", "+262143-1-1 1:1:1", "-262143-1-1 1:1:1", "-262144-1-1 1:1:1",
         "2023-11-14\t22:13:19", "2023-11-14\u00a022:13:19", "2023- 11-14 22:13:19", "2023 -11-14 22:13:19", "2023-11-14 22 :13:19", "2023-11- 14 22:13:19", "-1-1-1 1:1:1", "2023-+1-14 22:13:19",
         "2023-11-14 22:13:19.5", "2023-011-14 2:13:19", "02023-11-14 2:13:19", "12345-1-1 1:1:1", "TTTTTTTTT"]
TIME_TARGETS = ["2023-11-14T22:13:19.000Z", "2023-11-14T22:13:19.999999999999Z", "2023-11-14T22:13:19.Z", "2023-11-14T22:13:19+00:00", "2023-11-14T22:13:19-05:30", "2023-11-14T22:13:19+23:59",
                "2023-11-14T22:13:19+24:00", "2023-11-14T22:13:19−05:00", "2023-11-14T22:13:19+0530", "2023-11-14T22:13:19 +05:30", "2016-12-31T23:59:60.5Z", "2016-12-31T23:59:61Z", "2023-11-14   22:13:19+00:00"]
ARRAYS = [[], [None], [""], ["a"], ["A"], ["a", "b"], ["b", "a"], ["a", "a"], [1], [1.0], ["1"], ["1.0"], [True], ["true"], [0], [False], [1, "1"], [[1]], ["[1]"], [{}], [{"a": 1}], [1e21], [9007199254740993],
          ["9007199254740992"], [-0.0], ["-0"], [1.5], ["0.0000001"], [1e-7], ["a", 1], [2**64], ["18446744073709552000"], ["ς"], ["Σ"], ["İ"], ["ß"], ["null"], ["abc"], ["é"], ["NaN"], ["ﬁ"], ["🎉"], [["a", None]], ["a\"b"], [{"b": 1, "a": 2}], [[{"b": 1, "a": 2}]], [[{"a": 2, "b": 1}]]]
OBJECTS = [{}, {"a": 1}, {"a": 1.0}, {"a": "1"}, {"a": None}, {"a": "null"}, {"a": True}, {"A": 1}, {"a": [1]}, {"a": "[1]"}, {"a": {}}, {"a": {"b": 1}}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"abc": True}, {"ABC": True},
           {"1": True}, {"": True}, {"a": [1.0]}, {"a": 1e21}, {"null": 1}, {"true": 1}]
BARE = [True, False, None]
PATTERNS = ["", "^a$", "^$", "(?i)ß", "(?i)straße", "(?i)k", "\\bfoo\\b", "(?<=a+)b", "(?<=ab|c)d", "(?<!a)b", "a(?!b)", "(a)\\1", "(?P<n>a)\\k<n>", "(?P<n>a)(?P=n)", "a++b", "(?>a+)b", "a\\z", "a\\Z", "\\Ga", "a\\Kb", "(?m)^b$",
            "(?s)a.b", "a.b", "(?x) a b", "\\p{Greek}", "^\\d+$", "^\\w+$", "\\h", "\\H", "\\R", "\\X", "\\N", "\\O", "[[:alpha:]]", "[a-z&&[^b]]", "[]", "[]a]", "*a", "a{2,1}", "a{,2}", "\\1", "(a)\\2", "(?R)", "(?(1)a|b)",
            "(a)?(?(1)b|c)", "\\Q.\\E", "(?#c)a", "\\x{41}", "\\u0041", "\\e", "\\0", "a{1000}", "a{100000}", "(a{1000}){1000}", "(a+)+$", "(a|aa)+\\1b", "(x+x+)+y(?=z)", "(", "]", "{", "a|", "a**", "^*", "$^", "(?i)A(?-i)B", "\\_", "\\é",
            "\\c", "(a)\\k<1>", "(a)\\k<-1>", "(a)\\g<1>", "(a)\\g1", "(?1)(a)", "(?~a)", "(?|a|b)", "[z-a]", "\\b{start}foo", "\\<foo", "(?U)a+", "\\p{foo}", "(?<=^|,)x", "(?<=(a|bc))d", "(*FAIL)", "(?<a.b>x)", "(?<1>x)", "🎉", "^1$", "^true$", "\u0000"]
PATTERN_TEXTS = ["", "a", "ab", "abc", "b", "aab", "aa", "A", "B", "AB", "ß", "ẞ", "SS", "straße", "K", "k", "foo", "xfoo", "x foo y", "cd", "abd", "a\nb", "a\n", "\nb\n", "αβγ", "٣", "3", "_", "é", "e\u0301", "\u00a0", "\r\n", ".", "]", "{", "\\",
                 "a" * 40 + "b", "a" * 38 + "c", "x" * 40, "x" * 30 + "yz", "a" * 1001, "🎉", 1, 1.0, -0.0, True, None, ["a"], {}, "x,x", "bcd", "ad", "\u0000", "\u001b"]


def operators():
    """Every operator on awkward values and targets."""
    s = Set("corners_operators")
    s.user("none", userID="u")
    for i, v in enumerate(BARE + NUMBERS + STRINGS + TIMES + ARRAYS + OBJECTS):
        s.user("v%03d" % i, userID="u", custom={"x": v})
    families = [
        (["gt", "lte"], NUMBERS + ["", "1", "+1", ".5", "5.", "1e3", "inf", "nan", " 1", "1_0", "٣"] + BARE + [["1"], {}]),
        (["version_gt", "version_eq", "version_neq"], ["", "1", "1.2.3", "1.2", "1.2.3-beta", "-1", "1..2", "1. 2", "+1.2", "1.-2", "170141183460469231731687303715884105727", "1.a", "v1.2", 1, None]),
        (["any", "any_case_sensitive", "str_starts_with_any", "str_ends_with_any", "str_contains_any"], [[x] for x in ("", "abc", "ABC", "ß", "ss", "İ", "i̇", "Σ", "ς", "ας", "ﬁ", "K", "é", "1", "-0", "0", "true", "null", '["a",1]', "a", "\u0000")]
         + [[1], [1.0], [True], [None], [-0.0], [1e21], ["abc", "ABC"], ["x", "abc"], [["a", 1]], [], "abc", 1, None]),
        (["any", "none"], [{"abc": True}, {"ABC": True}, {"1": False}, {"": True}, {}]),
        (["before", "on"], TIMES + TIME_TARGETS + [1699999999, 1699999999000, 1699999999000.7, 0, -1, 1e308, "1699999999000", "1e3", None, True, ["1"]]),
        (["eq"], BARE + NUMBERS + ["", "1", "+1", "-0", "true", "null", "abc", "ABC", '["a",1]', "e\u0301"] + ARRAYS + OBJECTS),
        (["array_contains_any", "array_contains_all", "not_array_contains_all"], [a for a in ARRAYS if a != [""]] + [{"a": 1}, "a", None]),
    ]
    for ops, targets in families:
        for op in ops:
            for i, t in enumerate(targets):
                s.check("%s %d %s" % (op, i, json.dumps(t)[:40]), user_field("x", op, t))
    return s


def patterns():
    """str_matches: what the pattern language accepts, and what it means."""
    s = Set("corners_patterns")
    s.user("none", userID="u")
    for i, v in enumerate(PATTERN_TEXTS):
        s.user("v%03d" % i, userID="u", custom={"x": v})
    for i, p in enumerate(PATTERNS + [1, None, ["a"]]):
        s.check("%03d %s" % (i, json.dumps(p)), user_field("x", "str_matches", p))
    return s


def lookups(name="corners_lookups", options=None, default_environment=None, app_id=None):
    """Which value a field name finds; environment, app, country, user agent, current time."""
    s = Set(name)
    s.plan["options"] = options or {}
    if default_environment is not None:
        s.specs["default_environment"] = default_environment
    if app_id is not None:
        s.specs["app_id"] = app_id
    ua = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1"
    s.user("empty")
    s.user("plain", userID="u1", email="top@x", ip="8.8.8.8", country="DE", locale="de", appVersion="1.2", userAgent=ua)
    s.user("empty_texts", userID="", email="", ip="", country="", locale="", appVersion="", userAgent="")
    s.user("nulls", userID=None, email=None, ip=None, country=None, locale=None, appVersion=None, userAgent=None, custom=None, privateAttributes=None, statsigEnvironment=None, customIDs=None)
    s.user("numbers", userID=5, email=5, ip=8, country=1.0, locale=2.5, appVersion=1.0, userAgent=7)
    s.user("bools", userID=True, email=False, ip=True, country=True, locale=False, appVersion=True, userAgent=False)
    s.user("arrays", userID=["a"], email=["top@x"], ip=["8.8.8.8"], country=["DE"], appVersion=["1"], userAgent=[ua])
    s.user("objects", userID={"a": 1}, email={"a": 1}, ip={}, country={"DE": 1}, appVersion={}, userAgent={})
    names = {"userID": "cu", "user_id": "cu_", "email": "c@x", "ip": "1.1.1.1", "country": "CX", "locale": "cl", "appVersion": "9", "app_version": "9_", "userAgent": "curl/1", "user_agent": "curl/2", "os_name": "cos", "tier": "ct", "level": "cust"}
    s.user("custom_same", userID="u1", email="top@x", ip="8.8.8.8", country="DE", locale="de", appVersion="1.2", userAgent=ua, custom=names)
    s.user("custom_only", custom=names)
    s.user("custom_lower", custom={k.lower(): v for k, v in names.items()})
    s.user("custom_nulls", userID="u1", country="DE", ip="8.8.8.8", userAgent=ua, appVersion="1.2", custom={k: None for k in names}, privateAttributes=names)
    s.user("custom_empty", userID="u1", country="DE", ip="8.8.8.8", userAgent=ua, appVersion="1.2", custom={k: "" for k in names}, privateAttributes=names)
    s.user("private_only", privateAttributes=names)
    s.user("private_lower", privateAttributes={k.lower(): v for k, v in names.items()})
    s.user("both", custom=dict(names, level=1), privateAttributes={"level": 2, "Level": 3, "secret": "s"})
    s.user("case", custom={"Level": "Cust", "LEVEL": "CUST", "secret": None}, privateAttributes={"level": "priv", "secret": "s"})
    s.user("aliases_on_the_wire", user_id="w", userid="w", custom_ids={"companyID": "w"}, app_version="w", user_agent=ua, ip_address="8.8.8.8", private_attributes={"level": "w"}, statsig_environment={"tier": "w"})
    for i, env in enumerate([{"tier": "production"}, {"Tier": "production"}, {"TIER": "Production"}, {"tier": ""}, {"tier": None}, {"tier": 5}, {"tier": True}, {"tier": ["production"]}, {"other": "x"}, {}, {"tier": "PRODUCTION", "Tier": "dev"}]):
        s.user("env%d" % i, userID="u", statsigEnvironment=env)
    for i, ip in enumerate(["8.8.8.8", " 8.8.8.8", "8.8.8.8 ", "8.8.8", "8.8.8.8.8", "+8.8.8.8", "08.8.8.8", "8.8.8.-1", "8.8.8.300", "8.300.8.8", "0.0.0.0", "255.255.255.255", "::1", "::ffff:8.8.8.8", "8,8,8,8", "8.8.8.x", "localhost", "٣.8.8.8", "8.8.8.", "1.0.0.1", "127.0.0.1", "223.255.255.255"]):
        s.user("ip%02d" % i, userID="u", ip=ip)
    s.user("ip_in_custom", userID="u", custom={"ip": "8.8.8.8"})
    s.user("ip_in_private", userID="u", privateAttributes={"ip": "8.8.8.8"})
    for i, agent in enumerate(["x", " ", ";", "()", "Mozilla/5.0", ua + "x" * (1000 - len(ua)), ua + "x" * (1001 - len(ua)), "ü" * 400 + " Firefox/1.2", "Firefox/1.2.3.4.5", "Firefox/1_2,3", "Firefox/", "Firefox/1.2.3a4", "Chrome/1 Mobile/2", "Windows NT 5.1", "Windows NT 11.0",
                               "Android 4.4.2;", "FooBot/1.0", "crawler", "CrKey/1.5 Chrome/2", "OculusBrowser/9 Android 7"]):
        s.user("ua%02d" % i, userID="u", userAgent=agent)
    s.user("ua_in_custom", userID="u", custom={"userAgent": ua})
    s.user("ua_in_custom_alias", userID="u", custom={"user_agent": ua})
    s.user("ua_in_private", userID="u", privateAttributes={"useragent": ua})
    s.user("os_in_custom", userID="u", userAgent=ua, custom={"os_name": "", "os_version": None, "browser_name": "mine"})
    fields = ["userID", "userid", "UserId", "user_id", "USER_ID", "email", "Email", "ip", "country", "Country", "locale", "appVersion", "appversion", "app_version", "APP_VERSION", "userAgent", "user_agent", "level", "Level", "LEVEL", "secret", "plan", "Region", "region", "", " level", "ip_address", "customIDs"]
    values = ["u1", "cu", "cu_", "top@x", "c@x", "DE", "CX", "1.2", "9", "9_", "8.8.8.8", "1.1.1.1", "de", "cl", "cust", "Cust", "CUST", "priv", "s", "5", "1", "2.5", "true", "false", "", "a", "w", "eu", "EU", "3", "curl/1", "curl/2", "2", '["a"]', "global-plan"]
    for f in fields:
        # One config tells which of the values was found; `eq null` comes first.
        rules = [rule("null", [s.cond("%s is null" % f, user_field(f, "eq", None))], {"is": None})]
        rules += [rule("is %s" % v, [s.cond("%s is %s" % (f, v), user_field(f, "any_case_sensitive", [v]))], {"is": v}) for v in values]
        s.config("field %s" % f, config(rules, {"is": "something else"}))
    s.check("field absent", cond("user_field", "eq", targetValue=None))
    s.check("field null", dict(cond("user_field", "eq", targetValue=None), field=None))
    for f in ["tier", "Tier", "TIER", "other", "Other", ""]:
        for v in ["production", "Production", "staging", "5", "true", "", "dev"]:
            s.check("env %s %s" % (f, v), cond("environment_field", "any_case_sensitive", f, targetValue=[v]))
        s.check("env %s null" % f, cond("environment_field", "eq", f, targetValue=None))
    s.check("env no field", cond("environment_field", "eq", targetValue=None))
    for f in ["country", "Country", "COUNTRY", "ip", "nope"]:
        for v in ["US", "us", "DE", "CX", "AU", "8.8.8.8", ""]:
            s.check("ip %s %s" % (f, v), cond("ip_based", "any_case_sensitive", f, targetValue=[v]))
        s.check("ip %s null" % f, cond("ip_based", "eq", f, targetValue=None))
    s.check("ip no field", cond("ip_based", "eq", targetValue=None))
    for f in ["os_name", "osname", "OS_Name", "osName", "os_version", "browser_name", "browserName", "browser_version", "BROWSERVERSION", "device", "userAgent"]:
        rules = [rule("null", [s.cond("ua %s null" % f, cond("ua_based", "eq", f, targetValue=None))], {"is": None})]
        for v in ["iOS", "Mobile Safari", "17.1.2", "17.1", "Other", "0.0.0", "", "cos", "mine", "Windows", "XP", "Firefox", "1.2", "1.2.3", "1.2.3.4", "1.2.3.4.5", "Android", "4.4.2", "FooBot", "crawler", "Chrome", "Chromecast", "1", "1.0", "Safari", "Chrome Mobile", "Firefox Mobile"]:
            rules.append(rule("is %s" % v, [s.cond("ua %s %s" % (f, v), cond("ua_based", "any_case_sensitive", f, targetValue=[v]))], {"is": v}))
        s.config("ua %s" % f, config(rules, {"is": "something else"}))
    for op, t in [("eq", None), ("neq", None), ("gt", 0), ("lt", 0), ("any", [""]), ("none", [""]), ("str_starts_with_any", [""]), ("before", 4102444800000), ("after", 946684800000), ("on", 946684800000), ("version_gt", "0"), ("str_matches", ""), ("after", "2000-01-01"), ("after", "2000-01-01 00:00:00"), ("before", 4102444800)]:
        s.check("now %s %s" % (op, t), cond("current_time", op, targetValue=t))
        s.check("app %s %s" % (op, t), cond("target_app", op, targetValue=t))
    for t in [["app-1"], ["APP-1"], ["5"], [5], ["5.0"], ['["app-1"]'], ['["app-1","b"]']]:
        s.check("app any %s" % json.dumps(t), cond("target_app", "any", targetValue=t))
    for op in ["array_contains_any", "eq"]:
        s.check("app %s list" % op, cond("target_app", op, targetValue=["app-1"]))
    for op, t in [("eq", "app-1"), ("eq", 5), ("eq", {"a": 1}), ("gt", 4)]:
        s.check("app %s %s" % (op, json.dumps(t)), cond("target_app", op, targetValue=t))
    # Shapes of a condition.
    for i, c in enumerate([cond("Public"), cond("PUBLIC"), cond("public", "nonsense"), dict(cond("user_field", None, "x"), operator=None), cond("user_field", "ANY", "x", targetValue=["a"]), cond("user_field", "Any", "x", targetValue=["a"]), cond("", "any", "x", targetValue=["a"]),
                           cond("user_field", "encoded_any", "x", targetValue=["a"]), cond("user_field", "", "x"), cond("pass_gate"), cond("fail_gate"), cond("pass_gate", targetValue=5), cond("pass_gate", targetValue=["yes"]), cond("pass_gate", targetValue=None), cond("pass_gate", "nonsense", targetValue="yes"),
                           cond("user_bucket", "lt"), cond("user_bucket", targetValue=1000), cond("user_bucket", "lt", targetValue=1000, idType=""), cond("unit_id", "eq", targetValue=None, idType=""), dict(cond("user_bucket", "lt", targetValue=1000), additionalValues=None), dict(cond("user_bucket", "lt", targetValue=500), additionalValues={"custom_id": "x"}),
                           cond("experiment_group", "any", targetValue=["A"]), cond("experiment_group", "eq", targetValue=None), cond("experiment_group", "eq", "no such", targetValue=None), cond("multi_pass_gate", "any", targetValue=["yes"]), cond("moon_phase", "any", targetValue=[""])]):
        s.check("shape %02d" % i, c)
    s.gate("yes", gate([rule("Y", ["pub"])]))
    return s


def units():
    """Unit IDs: their text, which of them a rule takes, and the buckets they land in."""
    s = Set("corners_units")
    ids = ["", "u", "U", " u", "ü", "u\u0308", "🎉", "a\u0000b", "1", "1.0", "-0", "null", "true", 0, -0.0, 1, 1.0, -1, 1.5, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740993, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -2**63, True, False, None, [], ["a"], [1.0], [1e21, 2**64], [None, {"b": 1, "a": [1.50]}], {}, {"a": 1},
           "x" * 64, "x" * 1000, "ü" * 300]
    s.user("absent")
    for i, v in enumerate(ids):
        s.user("id%02d" % i, userID=v)
        s.user("cid%02d" % i, userID="u", customIDs={"companyID": v})
    s.user("lower", userID="u", customIDs={"companyid": "c"})
    s.user("upper", userID="u", customIDs={"COMPANYID": "c"})
    s.user("both", userID="u", customIDs={"companyid": "c1", "companyID": "c2"})
    s.user("null_then_lower", userID="u", customIDs={"companyid": "c1", "companyID": None})
    s.user("empty_then_lower", userID="u", customIDs={"companyid": "c1", "companyID": ""})
    s.user("user_in_custom_ids", customIDs={"userID": "in-custom", "userid": "in-custom-lower", "user_id": "c_u"})
    s.user("both_user_ids", userID="top", customIDs={"userID": "in-custom", "user_id": "c_u", "": "nameless"})
    for t in ["userID", "userid", "USERID", "UserId", "user_id", "companyID", "companyid", "CompanyID", "COMPANYID", "", "stableID"]:
        rules = [rule("b%d" % i, [s.cond("bucket %s %d" % (t, i), cond("user_bucket", "lt", salt="bucket-salt", targetValue=i * 50, idType=t))], {"below": i * 50}) for i in range(1, 20)]
        s.config("bucket %s" % t, config(rules, {"below": 1000}))
        s.check("unit %s null" % t, cond("unit_id", "eq", targetValue=None, idType=t))
        s.check("unit %s empty" % t, cond("unit_id", "any", targetValue=[""], idType=t))
        s.check("unit %s one" % t, cond("unit_id", "eq", targetValue=1, idType=t))
        s.check("unit %s c" % t, cond("unit_id", "any_case_sensitive", targetValue=["c"], idType=t))
        s.check("unit %s c1" % t, cond("unit_id", "any_case_sensitive", targetValue=["c1"], idType=t))
        s.check("unit %s list" % t, cond("unit_id", "in_segment_list", targetValue="people", idType=t))
        s.check("unit %s field" % t, cond("unit_id", "neq", "email", targetValue=None, idType=t))
        for pct in [0, 1e-9, 0.005, 0.01, 10, 33.33, 50, 66.67, 90, 99.99, 99.999, 100, 100.0, 100.5, -1, 1e300]:
            s.gate("roll %s %s" % (t, pct), gate([rule("R", ["pub"], pct=pct, salt="rule-salt", idType=t)], salt="spec-salt"), ask=t in ("userID", "companyID") or pct == 50)
    def entry(text):
        import base64
        return base64.b64encode(hashlib.sha256(text.encode()).digest())[:8].decode()
    s.plan["id_lists"] = {"people": "".join("+%s\n" % entry(x) for x in ["", "u", "1", "-0", "9007199254740992", "true", '["a"]', "c", "🎉"]) + "-%s\n+%s\n-%s\n" % (entry("u"), entry("u"), entry("c"))}
    # Salts.
    for i, (a, b) in enumerate([("spec-salt", ""), ("", "rule-salt"), ("", ""), ("spec-salt", None), ("sp.ec", "ru.le"), ("ü", "🎉")]):
        r = rule("R%d" % i, ["pub"], pct=50, salt=b)
        s.gate("salt %d" % i, gate([r], salt=a))
    s.gate("salt null", gate([rule("Rn", ["pub"], pct=50, **{})], salt="spec-salt"))
    s.specs["feature_gates"]["salt null"]["rules"][0]["salt"] = None
    s.gate("salt no id", gate([rule("", ["pub"], pct=50)], salt="spec-salt"))
    for i, av in enumerate([None, {}, {"salt": ""}, {"salt": "s"}, {"Salt": "s"}, {"salt": "s", "other": "x"}]):
        c = dict(cond("user_bucket", "lt", targetValue=500))
        if av is not None:
            c["additionalValues"] = av
        s.check("bucket salt %d" % i, c)
    for op, t in [("any", {"236": True}), ("any", [str(n) for n in range(0, 1000, 2)]), ("any", list(range(0, 1000, 2))), ("none", {str(n): True for n in range(0, 1000, 2)}), ("any", [float(n) for n in range(0, 1000, 2)]), ("eq", 500), ("any_case_sensitive", list(range(500))), ("any_case_sensitive", {str(n): True for n in range(500)}), ("str_starts_with_any", ["1", "2"]), ("version_lt", "500"), ("gte", "500"), ("before", 500000), ("eq", "7")]:
        s.check("bucket op %d" % len(s.plan["gates"]), cond("user_bucket", op, salt="bucket-salt", targetValue=t))
    return s


def graph():
    """Mappings, delegates, merging layers, bandits, group conditions, parameter stores, odd specs."""
    s = Set("corners_graph")
    for i in range(8):
        s.user("u%d" % i, userID="user-%d" % i, custom={"n": i, "f": i / 2, "color": ["red", "green", "blue"][i % 3], "big": 1e300, "flag": i % 2 == 0, "s": str(i)}, email="u%d@%s" % (i, "corp" if i % 2 else "home"))
    s.user("nobody")
    even, odd = s.cond("even", user_field("n", "any", [0, 2, 4, 6])), s.cond("odd", user_field("n", "any", [1, 3, 5, 7]))
    low = s.cond("low", user_field("n", "lt", 4))
    never = s.cond("never", user_field("nope", "any", ["zzz"]))
    weird = s.cond("weird", cond("moon_phase", "any"))
    corp = s.cond("corp", user_field("email", "str_ends_with_any", ["@corp"]))
    def passes(g):
        return s.cond("pass %s" % g, cond("pass_gate", targetValue=g))
    def fails(g):
        return s.cond("fail %s" % g, cond("fail_gate", targetValue=g))
    s.gate("is_even", gate([rule("E", [even])]))
    s.gate("is_corp", gate([rule("C", [corp])]))
    s.gate("holdout", gate([rule("HO", [low], pct=50, salt="ho")], entity="holdout"))
    s.gate("is_weird", gate([rule("W", [weird])]))
    s.gate("public_then_weird", gate([rule("PW", ["pub", weird])]))
    s.gate("weird_then_public", gate([rule("WP", [weird, "pub"])]))
    s.gate("segment:", gate([rule("SE", [passes("is_even")])], entity="segment"))
    s.gate("segment:even", gate([rule("SE", [passes("is_even")])], entity="segment"))
    s.gate("Segment:even", gate([rule("SE", [passes("is_even")])], entity="segment"))
    s.gate("plain_segment", gate([rule("SE", [passes("is_even")])], entity="segment"))
    s.gate("", gate([rule("nameless", [even])]))
    for n in ["segment:", "segment:even", "Segment:even", "plain_segment", "", "is_weird", "no_such_gate"]:
        s.gate("nests %s" % n, gate([rule("N", [passes(n)])]))
        s.gate("not %s" % n, gate([rule("N", [fails(n)])]))
        s.gate("twice %s" % n, gate([rule("A", [passes(n), never, fails(n)]), rule("B", [passes(n), passes("is_corp")]), rule("C", [fails(n)])]))
    s.gate("pass after weird", gate([rule("A", [weird, passes("is_even")]), rule("B", ["pub"])]))
    s.gate("missing condition", gate([rule("A", ["no such condition", passes("is_even")]), rule("B", ["pub"])]))
    s.gate("missing condition late", gate([rule("A", [passes("is_even"), "no such condition", passes("is_corp")])]))
    s.gate("same condition twice", gate([rule("A", [passes("is_even")] * 2)]))
    s.gate("no rules", gate([]))
    s.gate("no rules disabled", gate([], enabled=False, default=True))
    s.gate("no conditions", gate([rule("A", [])]))
    s.gate("empty rule id", gate([rule("", ["pub"])]))
    s.gate("nests empty rule id", gate([rule("A", [passes("empty rule id")])]))
    s.gate("nests disabled", gate([rule("A", [passes("no rules disabled"), fails("no rules")])]))
    for i in range(66):
        s.gate("chain %d" % i, gate([rule("c%d" % i, [passes("chain %d" % (i + 1))])] if i < 65 else [rule("c65", ["pub"])]), ask=i in (0, 1, 2, 3, 65))
    # What a spec may hold.
    odd_values = [True, False, None, {}, {"a": 1.0, "b": 1e21, "c": 18446744073709551615, "d": 18446744073709551616, "e": -0.0, "f": [1, [2.0]], "g": None, "h": {"i": {}}}, "text", 5, [1], 0]
    for i, v in enumerate(odd_values):
        for pct in (100, 0):
            s.gate("return %d %d" % (i, pct), gate([rule("R", [even], v, pct=pct)], default=True))
            s.gate("default %d %d" % (i, pct), gate([rule("R", [even], True, pct=pct)], default=v))
            s.config("config return %d %d" % (i, pct), config([rule("R", [even], v, pct=pct)], {"d": 1}))
            s.config("config default %d %d" % (i, pct), dict(config([rule("R", [even], {"r": 1}, pct=pct)]), defaultValue=v))
    base = {"a": 1}
    for i, extra in enumerate([{}, {"isActive": True}, {"isActive": False}, {"isActive": None}, {"hasSharedParams": True}, {"hasSharedParams": False}, {"explicitParameters": []}, {"explicitParameters": ["a"]}, {"explicitParameters": None}, {"version": 0}, {"version": 4294967295}, {"version": None},
                               {"version": 4294967296}, {"version": -1}, {"version": 1.0}, {"version": "1"}, {"forwardAllExposures": True}, {"targetAppIDs": ["x"]}, {"targetAppIDs": None}, {"fieldsUsed": ["n"]}, {"isActive": "true"}, {"salt": 5}, {"salt": None}, {"enabled": None}, {"idType": None}, {"idType": ""}, {"idType": "companyID"}, {"entity": "brand_new"}, {"type": "brand_new"}, {"unknown": {"x": [1]}}, {"checksum": 5}, {"explicitParameters": "a"}, {"useNewLayerEval": True}, {"defaultValue": None}]):
        spec = experiment([rule("G", [even], base, groupName="Group", isExperimentGroup=True)], {"a": 0})
        spec.update(extra)
        s.config("spec %02d" % i, spec)
        lay = layer([rule("L", [low], base)], {"a": 0})
        lay.update({k: v for k, v in extra.items() if k != "useNewLayerEval"})
        s.layer("lay %02d" % i, lay)
        s.layer("del %02d" % i, dict(layer([rule("L", [low], base, configDelegate="spec %02d" % i)], {"a": 0}), **({"version": 3, "isActive": True} if i % 2 else {})))
    for i, extra in enumerate([{}, {"groupName": None}, {"groupName": ""}, {"groupName": "G", "isExperimentGroup": None}, {"isExperimentGroup": True}, {"samplingRate": 1}, {"samplingRate": 0}, {"samplingRate": 1.5}, {"samplingRate": -1}, {"samplingRate": None}, {"passPercentage": "100"}, {"passPercentage": None}, {"id": 5}, {"conditions": None}, {"conditions": [5]}, {"conditions": {}}, {"idType": None}, {"name": None}, {"salt": 5}, {"configDelegate": None}, {"configDelegate": ""}, {"configDelegate": "no such"}, {"isExperimentGroup": "yes"}, {"returnValue": None}, {"unknown": 1}]):
        r = rule("G", [even], base)
        r.update(extra)
        s.config("rule %02d" % i, experiment([r], {"a": 0}, isActive=True))
    for i, missing in enumerate(["id", "name", "passPercentage", "conditions", "returnValue", "idType"]):
        r = rule("G", [even], base)
        del r[missing]
        s.config("rule without %s" % missing, experiment([r], {"a": 0}))
    for missing in ["type", "entity", "salt", "enabled", "defaultValue", "rules", "idType"]:
        spec = experiment([rule("G", [even], base)], {"a": 0})
        del spec[missing]
        s.plan["experiments"].append("spec without %s" % missing)
        s.specs["dynamic_configs"]["spec without %s" % missing] = spec
    # Experiments, delegates.
    def groups(n, v):
        return [rule("%sA" % n, [even], {v: "A", "only_a": 1}, groupName="A", isExperimentGroup=True), rule("%sB" % n, [low], {v: "B"}, pct=50, groupName="B", isExperimentGroup=True), rule("%sC" % n, [passes("is_corp")], {v: "C"}, groupName="C")]
    s.config("exp_x", experiment([rule("XH", [passes("holdout")], {"x": "held"})] + groups("x", "x"), {"x": "def"}, isActive=True, explicitParameters=["x"], version=7))
    s.config("exp_y", experiment(groups("y", "y"), {"y": "def"}, isActive=False, hasSharedParams=True))
    s.config("exp_xy", experiment(groups("z", "x"), {"y": 1, "x": "def"}, explicitParameters=[]))
    s.config("exp_bool", experiment([rule("B", ["pub"], True, groupName="bool")], {"b": 1}))
    s.config("exp_null", experiment([rule("N", ["pub"], None, groupName="null")], {"b": 1}))
    s.config("exp_empty", experiment([rule("E", ["pub"], {}, groupName="empty")], {"b": 1}))
    s.config("exp_weird", experiment([rule("W", [passes("is_corp"), weird], {"w": 1}, groupName="weird")], {"b": 1}, explicitParameters=["w"]))
    s.config("exp_default_only", experiment([], {"q": 1}))
    s.config("exp_off", experiment([], {"q": 2}, enabled=False))
    s.config("exp_delegates", experiment([rule("D", ["pub"], {"d": 1}, groupName="outer", configDelegate="exp_x")], {"d": 0}, isActive=False, explicitParameters=["d"]))
    s.config("cfg_delegates", config([rule("D", [passes("is_even")], {"d": 1}, pct=0, configDelegate="exp_y")], {"d": 0}))
    for n in ["exp_x", "exp_y", "exp_xy", "exp_bool", "exp_null", "exp_empty", "exp_weird", "exp_default_only", "exp_off", "exp_delegates", "no_such", "bandit_plain", "mapped_exp", "mapped_missing", "exp_group_test"]:
        for pct in (100, 0):
            s.layer("old %s %d" % (n, pct), layer([rule("H", [passes("holdout")], {"x": "held"}, pct=50, salt="h"), rule("D", [passes("is_even")], {"x": "rule"}, pct=pct, configDelegate=n, groupName="layer group", isExperimentGroup=True), rule("T", [corp], {"x": "tail"}, groupName="tail")], {"x": "layer", "l": 1}, isActive=True, explicitParameters=["l"], version=2))
            s.layer("new %s %d" % (n, pct), layer([rule("H", [passes("holdout")], {"x": "held"}, pct=50, salt="h"), rule("D", [passes("is_even")], {"x": "rule"}, pct=pct, configDelegate=n, groupName="layer group", isExperimentGroup=True), rule("T", [corp], {"x": "tail", "t": 1}, groupName="tail")], {"x": "layer", "l": 1}, useNewLayerEval=True, version=2))
    merges = {
        "two disjoint": [rule("1", ["pub"], {}, configDelegate="exp_x"), rule("2", ["pub"], {}, configDelegate="exp_y")],
        "two overlapping": [rule("1", ["pub"], {}, configDelegate="exp_x"), rule("2", ["pub"], {}, configDelegate="exp_xy")],
        "plain then delegate": [rule("1", [even], {"p": 1}), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "failed plain then delegate": [rule("1", [even], {"p": 1}, pct=0), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "plain false": [rule("1", ["pub"], False), rule("2", ["pub"], {"x": 1})],
        "plain null": [rule("1", ["pub"], None), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "null delegate then delegate": [rule("1", ["pub"], {}, configDelegate="exp_null"), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "bool delegate then delegate": [rule("1", ["pub"], {}, configDelegate="exp_bool"), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "empty delegate then plain": [rule("1", ["pub"], {}, configDelegate="exp_empty"), rule("2", ["pub"], {"x": 1})],
        "weird delegate then delegate": [rule("1", ["pub"], {}, configDelegate="exp_weird"), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "weird rule": [rule("1", ["pub"], {"x": 1}), rule("2", [passes("is_even"), weird], {"y": 1})],
        "weird first": [rule("1", [passes("is_even"), weird], {"y": 1}, groupName="g"), rule("2", ["pub"], {"x": 1})],
        "missing delegate": [rule("1", ["pub"], {"m": 1}, configDelegate="no such"), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "delegate default": [rule("1", ["pub"], {}, configDelegate="exp_default_only"), rule("2", ["pub"], {}, configDelegate="exp_x")],
        "delegate of a delegate": [rule("1", ["pub"], {}, configDelegate="exp_delegates")],
        "same delegate twice": [rule("1", ["pub"], {}, configDelegate="exp_y"), rule("2", ["pub"], {}, configDelegate="exp_y")],
        "exposures of skipped": [rule("1", [passes("is_corp")], {"x": 1}), rule("2", [passes("is_even")], {}, configDelegate="exp_x"), rule("3", [passes("holdout")], {"k": 1}), rule("4", [fails("is_even")], {"k": 2})],
        "overrides": [rule("1", ["pub"], {"x": 1, "l": 2}), rule("2", ["pub"], {"x": 3, "z": 4})],
        "nothing": [],
    }
    for n, rules in merges.items():
        s.layer("merge %s" % n, layer(rules, {"x": "layer", "l": 1}, useNewLayerEval=True, version=2, isActive=True))
        s.layer("nomerge %s" % n, layer(rules, {"x": "layer", "l": 1}, version=2, isActive=False))
    s.layer("merge default null", dict(layer([rule("1", [even], {"x": 1})], useNewLayerEval=True), defaultValue=None))
    s.layer("merge default true", dict(layer([rule("1", [even], {"x": 1})], useNewLayerEval=True), defaultValue=True))
    s.layer("merge disabled", layer([rule("1", [even], {"x": 1})], {"d": 1}, useNewLayerEval=True, enabled=False))
    # Mappings.
    s.config("mapped_exp", experiment([rule("M0", ["pub"], {"m": "old"}, groupName="old")], {"m": "old default"}, version=1, isActive=True))
    s.config("mapped_exp_new", experiment([rule("M1", [even], {"m": "new"}, groupName="new"), rule("M2", [passes("is_corp")], {"m": "new corp"}, pct=50)], {"m": "new default"}, version=2, explicitParameters=["m"]))
    s.config("mapped_twice", config([rule("T", ["pub"], {"m": "first"})]))
    s.config("mapped_back", config([rule("T", ["pub"], {"m": "back"})]))
    s.config("mapped_weird", config([rule("T", ["pub"], {"m": "weird old"})]))
    s.config("mapped_deep", config([rule("T", ["pub"], {"m": "deep old"})]))
    s.config("mapped_skips", config([rule("T", ["pub"], {"m": "skips old"})]))
    s.config("mapped_delegate", experiment([rule("T", ["pub"], {"m": "delegate old"})]))
    s.gate("mapped_gate", gate([rule("G0", ["pub"])], version=3))
    s.gate("mapped_gate_new", gate([rule("G1", [passes("is_even")])], version=4))
    s.gate("nests mapped_gate", gate([rule("N", [passes("mapped_gate"), fails("ghost_gate")])]))
    s.gate("depth gate", gate([rule("N", [passes("chain 0")])]))
    s.layer("mapped_layer", layer([rule("L0", ["pub"], {"m": "layer old"})], {"m": 0}))
    s.layer("mapped_layer_new", layer([rule("L1", [low], {"m": "layer new"}, configDelegate="exp_x")], {"m": 1}, useNewLayerEval=True))
    s.layer("layer to mapped", layer([rule("L", [passes("is_even")], {"m": "l"}, configDelegate="mapped_delegate")], {"m": "d"}, version=5))
    s.plan["gates"] += ["ghost_gate"]
    s.plan["dynamic_configs"] += ["ghost_config", "mapped_missing"]
    s.plan["experiments"] += ["ghost_config", "mapped_missing", "mapped_bandit"]
    s.plan["layers"] += ["ghost_layer"]
    s.specs["override_rules"] = {
        "r_all": rule("r_all", ["pub"], salt="r"), "r_even": rule("r_even", [passes("is_even")], salt="r"), "r_half": rule("r_half", ["pub"], pct=50, salt="r"), "r_half_nosalt": rule("r_half_nosalt", ["pub"], pct=50), "r_none": rule("r_none", ["pub"], pct=0), "r_weird": rule("r_weird", [weird]),
        "r_corp_false": rule("r_corp_false", [corp], False), "r_deep": rule("r_deep", [passes("chain 0")]), "r_missing": rule("r_missing", ["no such condition"]), "r_empty": rule("r_empty", []), "r_corp": rule("r_corp", [fails("is_corp")])}
    def mapping(new, *rules):
        return {"new_config_name": new, "rules": [{"rule_name": r} if isinstance(r, str) else {"rule_name": r[0], "start_time": r[1]} for r in rules]}
    s.specs["overrides"] = {
        "mapped_exp": [mapping("mapped_exp_new", "r_none", "r_even", ("r_half", None), ("r_all", 4102444800000))],
        "mapped_twice": [mapping("mapped_back", ("r_even", 0)), mapping("exp_y", ("r_half_nosalt", -5), ("r_all", 1))],
        "mapped_back": [mapping("exp_x", ("r_half", 1700000000))],
        "mapped_weird": [mapping("exp_weird", "r_weird", "r_missing", "r_even"), mapping("exp_x", "r_corp_false")],
        "mapped_deep": [mapping("exp_x", "r_deep"), mapping("cfg_deep", "r_all"), mapping("exp_y", "r_even")],
        "mapped_skips": [mapping("no such", "r_all"), mapping("exp_default_only", "no such rule", "r_empty")],
        "mapped_delegate": [mapping("mapped_exp_new", "r_corp", "r_none"), mapping("exp_delegates", "r_half")],
        "mapped_missing": [mapping("mapped_exp_new", "r_even")],
        "mapped_gate": [mapping("mapped_gate_new", "r_half")],
        "mapped_layer": [mapping("mapped_layer_new", "r_even"), mapping("old exp_x 100", "r_half")],
        "mapped_bandit": [mapping("bandit_plain", "r_all")],
        "bandit_mapped": [mapping("mapped_exp_new", "r_even")],
        "ghost_gate": [mapping("is_even", "r_half")],
        "ghost_config": [mapping("exp_x", "r_half")],
        "ghost_layer": [mapping("mapped_layer_new", "r_half")],
        "empty_list": [], "exp_off": [mapping("exp_x")],
    }
    s.config("cfg_deep", config([rule("D", [passes("chain 0")], {"m": "deep"})]))
    # Group conditions.
    for n in ["exp_x", "exp_bool", "exp_default_only", "exp_weird", "mapped_exp", "bandit_plain", "no_such", "cfg_delegates", "exp_delegates", "exp_bad_depth"]:
        for op, t in [("any", ["A", "new", "B0"]), ("eq", None), ("any_case_sensitive", [""]), ("neq", "C")]:
            s.check("group %s %s" % (n, op), cond("experiment_group", op, n, targetValue=t))
    s.config("exp_bad_depth", experiment([rule("D", [passes("chain 0")], {"m": "deep"})]))
    s.config("exp_group_test", experiment([rule("EG", ["group exp_x any"], {"y": 1}, groupName="after x"), rule("EB", ["group bandit_plain any", passes("is_even")], {"y": 2}, groupName="bandit")], {"y": 0}))
    s.gate("nests group", gate([rule("N", [passes("group exp_x any"), passes("is_even")])]))
    # Bandits.
    def arm(i):
        return {"name": "B%d" % i, "id": "b%d" % i, "parameterValues": {"arm": i}}
    def bandit(n=3, **more):
        return {"salt": "bandit", "defaultValue": {"arm": -1}, "idType": "userID", "enabled": True, "version": 1, "sampleRate": 0, "higherIsBetter": True, "groups": [arm(i) for i in range(n)], **more}
    def weights(alpha=0, intercept=0, num=None, cat=None, records=0):
        return {"alpha": alpha, "intercept": intercept, "records": records, "weightsNumerical": num or {}, "weightsCategorical": cat or {}}
    for n, b in [(3, 0), (3, 3332), (3, 3333), (3, 3334), (3, 6665), (3, 6666), (3, 6667), (3, 9998), (3, 9999), (7, 9995), (7, 9996), (7, 9999), (7, 1428), (7, 1429), (6, 9999), (6, 9996), (9, 1111), (9, 9999)]:
        uid = unit_with_bucket("bandit", b)
        if "bkt%d" % b not in s.users:
            s.user("bkt%d" % b, userID=uid)
    bandits = {
        "bandit_plain": bandit(), "bandit_7": bandit(7), "bandit_6": bandit(6), "bandit_9": bandit(9), "bandit_1": bandit(1), "bandit_mapped": bandit(), "bandit_off": bandit(enabled=False), "bandit_no_groups": bandit(0), "bandit_empty_config": bandit(config={}, sampleRate=0, n=1),
        "bandit_targeted": bandit(targetingGateName="is_even"), "bandit_targeted_ghost": bandit(targetingGateName="no such gate"), "bandit_targeted_weird": bandit(targetingGateName="is_weird"), "bandit_targeted_segment": bandit(targetingGateName="segment:even"), "bandit_targeted_null": bandit(targetingGateName=None), "bandit_targeted_empty": bandit(targetingGateName=""),
        "bandit_targeted_deep": bandit(targetingGateName="chain 0"), "bandit_targeted_mapped": bandit(targetingGateName="mapped_gate"),
        "bandit_scored": bandit(config={"b0": weights(0.5, 0, {"n": 0.25}), "b1": weights(0, 0.5, {"f": 0.5, "nope": 100}), "b2": weights(0, 0, {}, {"color": {"red": 2, "blue": 0.5}, "flag": {"true": 0.25}, "n": {"3": 4}})}),
        "bandit_low": bandit(higherIsBetter=False, config={"b0": weights(0.5, 0, {"n": 0.25}), "b1": weights(0, 0.5, {"f": 0.5}), "b2": weights(0, 0, {}, {"color": {"red": 2, "blue": 0.5}})}),
        "bandit_tied": bandit(config={"b0": weights(1, 0, {"n": 0}), "b1": weights(0, 1, {"n": 0}), "b2": weights(0.5, 0.5, {"n": 0})}),
        "bandit_tied_low": bandit(higherIsBetter=False, config={"b0": weights(1, 0, {"n": 0}), "b1": weights(0, 1, {"n": 0}), "b2": weights(0.5, 0.5, {"n": 0})}),
        "bandit_part": bandit(config={"b1": weights(-5, 0, {"n": 1})}), "bandit_one_weightless": bandit(config={"b0": weights(100, 100), "b2": weights(0, 0, {"n": 1})}),
        "bandit_infinite": bandit(config={"b0": weights(0, 0, {"big": 1e300}), "b1": weights(0, 0, {"big": -1e300}), "b2": weights(1, 1, {"n": 1})}),
        "bandit_nan": bandit(config={"b0": weights(0, 0, {"big": 1e300}, None), "b1": weights(0, 0, {"big": 1e308, "n": 1}), "b2": weights(5, 1, {"n": 1})}),
        "bandit_text_number": bandit(config={"b0": weights(0, 0, {"s": 1}), "b1": weights(0, 0, {"flag": 100, "email": 5, "n": 0}), "b2": weights(2, 1, {"n": 0})}),
        "bandit_fields": bandit(config={"b0": weights(0, 0, {"N": 1}), "b1": weights(0, 0, None, {"EMAIL": {"u1@corp": 9}, "userID": {"user-2": 9}}), "b2": weights(2, 1, {"n": 0})}),
        "bandit_company": bandit(idType="companyID"), "bandit_rate": bandit(1, sampleRate=1, config={}), "bandit_apps": bandit(targetAppIDs=["x"]), "bandit_defaults": bandit(defaultValue={}, enabled=False),
        "exp_empty": bandit(1),
    }
    s.specs["cmab_configs"] = bandits
    s.plan["experiments"] += [n for n in bandits if n not in s.plan["experiments"]]
    s.plan["dynamic_configs"] += ["bandit_plain", "exp_x", "mapped_exp"]
    s.plan["experiment_groups"] = ["exp_x", "exp_y", "exp_bool", "exp_off", "cfg_delegates", "bandit_plain", "no_such", "spec 00", "spec 03", "rule 03", "rule 00", "mapped_exp"]
    s.layer("layer to bandit only", layer([rule("L", ["pub"], {"m": "l"}, configDelegate="bandit_1")], {"m": "d"}))
    s.layer("layer to bandit over config", layer([rule("L", ["pub"], {"m": "l"}, configDelegate="exp_empty")], {"m": "d"}))
    # Parameter stores.
    def p(**k):
        return {"ref_type": k.pop("ref", "static"), "param_type": k.pop("type", "string"), **k}
    store = {
        "static null": p(value=None), "static and gate": p(value="static", gate_name="is_even", pass_value="p", fail_value="f"), "gate and config": p(gate_name="is_even", pass_value="p", fail_value="f", config_name="exp_x", param_name="x"),
        "gate": p(ref="gate", gate_name="is_even", pass_value="p", fail_value="f"), "wrong ref": p(ref="nonsense", gate_name="is_even", pass_value="p", fail_value="f"), "gate null": p(gate_name="is_even", pass_value=None, fail_value="f"), "gate mixed": p(gate_name="is_even", pass_value=1, fail_value="f"), "gate weird": p(gate_name="is_weird", pass_value="p", fail_value="f"), "gate deep": p(gate_name="chain 0", pass_value="p", fail_value="f"),
        "gate mapped": p(gate_name="mapped_gate", pass_value="p", fail_value="f"), "config": p(config_name="mapped_exp", param_name="m"), "config is experiment": p(config_name="exp_x", param_name="x"), "experiment": p(experiment_name="exp_x", param_name="x"), "experiment weird": p(experiment_name="exp_weird", param_name="w"), "bandit": p(experiment_name="bandit_plain", param_name="arm"), "config bandit": p(config_name="bandit_plain", param_name="arm"),
        "layer": p(layer_name="merge two disjoint", param_name="x"), "layer absent param": p(layer_name="merge two disjoint", param_name="nope"), "layer missing": p(layer_name="nope", param_name="x"), "wrong type": p(type="number", value="text"), "int": p(value=3), "float": p(value=3.5), "whole": p(value=3.0), "huge": p(value=2**64 - 1), "exp": p(value=1e300), "neg": p(value=-0.0), "array": p(value=[1, "a", None, {"b": [2.5]}]), "object": p(value={"a": {"b": 1.0}}), "bool": p(value=False)}
    s.specs["param_stores"] = {"store": {"parameters": store, "targetAppIDs": ["x"], "version": 2}, "bare": {"parameters": {}}}
    fallbacks = {"string": "fb", "number": -1.5, "integer": -2, "boolean": True, "array": ["fb"], "object": {"fb": 1}}
    s.plan["param_stores"] = {"store": [[n, t, fallbacks[t]] for n in list(store) + ["absent"] for t in fallbacks], "bare": [["x", "string", "fb"]]}
    return s


def overrides():
    """Local overrides: their order, what they reach, how they go away."""
    s = Set("corners_overrides")
    s.user("u1", userID="u1", customIDs={"companyID": "c1", "stableID": "s1"})
    s.user("u2", userID="u2", customIDs={"companyID": "c1"})
    s.user("num", userID=7, customIDs={"companyID": 8.0, "flag": True})
    s.user("nobody")
    s.user("blank", userID="", customIDs={"companyID": ""})
    pass_a = s.cond("pass a", cond("pass_gate", targetValue="a"))
    fail_a = s.cond("fail a", cond("fail_gate", targetValue="a"))
    seg = s.cond("pass segment", cond("pass_gate", targetValue="segment:s"))
    ghost = s.cond("pass ghost", cond("pass_gate", targetValue="ghost"))
    weird = s.cond("weird", cond("moon_phase", "any"))
    grp = s.cond("group", cond("experiment_group", "any", "e", targetValue=["G2", "G1"]))
    s.gate("a", gate([rule("A", ["pub"])], version=2))
    s.gate("nests", gate([rule("N", [pass_a])], version=3))
    s.gate("fails", gate([rule("F", [fail_a])]))
    s.gate("segment:s", gate([rule("S", [pass_a])], entity="segment"))
    s.gate("in segment", gate([rule("I", [seg])]))
    s.gate("wants ghost", gate([rule("W", [ghost])]))
    s.gate("weird", gate([rule("W", [weird])]))
    s.gate("grouped", gate([rule("G", [grp])]))
    s.gate("mapped gate", gate([rule("M", ["pub"])]))
    s.config("c", config([rule("C", [pass_a], {"v": 1})], {"v": 0}, version=4))
    s.config("e", experiment([rule("E1", [pass_a], {"p": 1, "q": 1}, groupName="G1", isExperimentGroup=True), rule("E2", [], {"p": 2}, groupName="G2", isExperimentGroup=True), rule("E3", [], {"p": 3}, groupName="G2"), rule("E4", [], True, groupName="bool")], {"p": 0}, version=5, isActive=True, explicitParameters=["p"]))
    s.config("mapped", config([rule("M", ["pub"], {"v": "old"})]))
    s.layer("l", layer([rule("L", [pass_a], {"p": 9}, configDelegate="e")], {"p": 8, "q": 8}, version=6))
    s.layer("m", layer([rule("L", [pass_a], {"p": 9}, configDelegate="e"), rule("L2", ["pub"], {"q": 7})], {"p": 8, "z": 8}, version=6, useNewLayerEval=True))
    s.specs["override_rules"] = {"r": rule("r", ["pub"])}
    s.specs["overrides"] = {"mapped": [{"new_config_name": "c", "rules": [{"rule_name": "r"}]}], "mapped gate": [{"new_config_name": "nests", "rules": [{"rule_name": "r"}]}]}
    s.specs["cmab_configs"] = {"b": {"salt": "b", "defaultValue": {"arm": 0}, "idType": "userID", "enabled": True, "version": 1, "sampleRate": 0, "higherIsBetter": True, "groups": [{"name": "B", "id": "b1", "parameterValues": {"arm": 1}}], "targetingGateName": "a"}}
    s.specs["param_stores"] = {"ps": {"parameters": {"g": {"ref_type": "gate", "param_type": "string", "gate_name": "a", "pass_value": "on", "fail_value": "off"}, "e": {"ref_type": "experiment", "param_type": "number", "experiment_name": "e", "param_name": "p"}, "l": {"ref_type": "layer", "param_type": "number", "layer_name": "l", "param_name": "p"}, "s": {"ref_type": "static", "param_type": "string", "value": "x"}}}}

    def look(*users):
        ops = []
        for u in users:
            ops += [{"op": "gate", "user": u, "name": n} for n in ["a", "nests", "fails", "in segment", "wants ghost", "weird", "grouped", "ghost", "mapped gate"]]
            ops += [{"op": "config", "user": u, "name": n} for n in ["c", "mapped", "e", "ghost"]]
            ops += [{"op": "experiment", "user": u, "name": n} for n in ["e", "c", "b", "ghost"]]
            ops += [{"op": "layer", "user": u, "name": n, "params": ["p", "q", "z"]} for n in ["l", "m", "ghost"]]
            ops += [{"op": "param", "user": u, "store": "ps", "param": p, "type": t, "fallback": f} for p, t, f in [("g", "string", "fb"), ("e", "integer", -1), ("l", "integer", -1), ("s", "string", "fb"), ("new", "string", "fb")]]
        return ops
    everyone = list(s.users)
    def script(name, *ops):
        s.plan["scripts"].append({"id": name, "ops": list(ops)})
    def ov(kind, name, value, **more):
        return {"op": "override_%s" % kind, "name": name, "value": value, **more}
    def rm(kind, name, **more):
        return {"op": "remove_%s_override" % kind, "name": name, **more}
    script("none", *look(*everyone))
    script("gate off", ov("gate", "a", False), *look("u1", "nobody"))
    script("gate by id", ov("gate", "a", False, id="u1"), *look("u1", "u2"), ov("gate", "a", True), ov("gate", "a", False, id="c1"), *look("u1", "u2", "num"))
    script("gate order", ov("gate", "a", False, id="s1"), ov("gate", "a", True, id="c1"), ov("gate", "a", False), {"op": "gate", "user": "u2", "name": "a"}, {"op": "gate", "user": "nobody", "name": "a"}, ov("gate", "a", True, id="u1"), {"op": "gate", "user": "u1", "name": "a"})
    script("numeric ids", ov("gate", "a", False, id="7"), {"op": "gate", "user": "num", "name": "a"}, rm("gate", "a", id="7"), ov("gate", "a", False, id="8"), {"op": "gate", "user": "num", "name": "a"}, rm("gate", "a"), ov("gate", "a", False, id="8.0"), {"op": "gate", "user": "num", "name": "a"}, ov("gate", "a", False, id="true"), {"op": "gate", "user": "num", "name": "a"})
    script("blank id", ov("gate", "a", False, id=""), {"op": "gate", "user": "blank", "name": "a"}, {"op": "gate", "user": "nobody", "name": "a"}, {"op": "gate", "user": "u1", "name": "a"})
    script("unknown names", ov("gate", "ghost", True), ov("config", "ghost", {"g": 1}), ov("experiment", "ghost", {"g": 2}), ov("layer", "ghost", {"p": 3}), *look("u1"))
    script("unsupported gate", ov("gate", "weird", True), *look("u1"))
    script("config", ov("config", "c", {"v": "mine", "n": [1.0, None]}), ov("config", "mapped", {"v": "mine"}), *look("u1"), rm("config", "c"), *look("u1"))
    script("config named like an experiment", ov("config", "e", {"p": 50}), *look("u1"))
    script("experiment", ov("experiment", "e", {"p": 60}), *look("u1", "nobody"))
    script("experiment named like a config", ov("experiment", "c", {"v": 70}), *look("u1"))
    script("experiment by id", ov("experiment", "e", {"p": 61}, id="u1"), ov("experiment", "b", {"arm": 5}, id="c1"), *look("u1", "u2"))
    for g in ["G1", "G2", "bool", "no such group"]:
        script("group %s" % g, {"op": "override_experiment_group", "name": "e", "group": g}, *look("u1"))
    script("group of unknown", {"op": "override_experiment_group", "name": "ghost", "group": "G1"}, {"op": "override_experiment_group", "name": "b", "group": "B"}, *look("u1"))
    script("group then value", {"op": "override_experiment_group", "name": "e", "group": "G2"}, ov("experiment", "e", {"p": 62}), *look("u1"))
    script("value then group", ov("experiment", "e", {"p": 62}), {"op": "override_experiment_group", "name": "e", "group": "G2"}, *look("u1"))
    script("layer", ov("layer", "l", {"p": 80, "extra": 1}), ov("layer", "m", {"z": 81}), *look("u1"), rm("layer", "l"), *look("u1"))
    script("layer empty", ov("layer", "l", {}), ov("config", "c", {}), ov("experiment", "e", {}), *look("u1"))
    script("store", ov("param_store", "ps", {"s": "mine", "new": "new", "g": 5}), *look("u1"))
    script("remove one id", ov("gate", "a", False), ov("gate", "a", False, id="u1"), rm("gate", "a", id="u1"), {"op": "gate", "user": "u1", "name": "a"}, {"op": "gate", "user": "u2", "name": "a"}, rm("gate", "a"), {"op": "gate", "user": "u1", "name": "a"})
    script("remove without id", ov("gate", "a", False), ov("gate", "a", False, id="u1"), rm("gate", "a"), {"op": "gate", "user": "u1", "name": "a"}, {"op": "gate", "user": "u2", "name": "a"})
    script("remove unknown", rm("gate", "a"), rm("config", "nope", id="x"), rm("experiment", "e"), rm("layer", "l"), *look("u1"))
    script("remove all", ov("gate", "a", False), ov("config", "c", {"v": 1}, id="u1"), ov("experiment", "e", {"p": 1}), ov("layer", "l", {"p": 1}), ov("param_store", "ps", {"s": "mine"}), {"op": "remove_all_overrides"}, *look("u1"))
    script("remove experiment group", {"op": "override_experiment_group", "name": "e", "group": "G2"}, rm("experiment", "e"), {"op": "experiment", "user": "u1", "name": "e"}, ov("config", "e", {"p": 1}), rm("experiment", "e"), {"op": "experiment", "user": "u1", "name": "e"}, {"op": "config", "user": "u1", "name": "e"}, rm("config", "e"), {"op": "experiment", "user": "u1", "name": "e"})
    script("targeting gate of a bandit", ov("gate", "a", False), {"op": "experiment", "user": "u1", "name": "b"}, ov("gate", "a", True), {"op": "experiment", "user": "u1", "name": "b"})
    script("client response", ov("gate", "a", False), ov("config", "c", {"v": "mine"}), ov("layer", "l", {"p": 80}), {"op": "gcir", "user": "u1", "hash": "none"}, {"op": "gcir", "user": "u1", "hash": "none", "include_local_overrides": True})
    return s


def client_response():
    """Client-initialize responses: odd kinds in every section, apps of client keys, IDs and attributes of every JSON kind."""
    s = Set("corners_client_response")
    s.user("plain", userID="u")
    s.user("odd ids", userID=1.0, customIDs={"half": 1.5, "yes": True, "nothing": None, "list": [1, "a"], "object": {"x": 1}, "big": 9007199254740993, "blank": ""})
    s.user("blank", userID="", customIDs={}, custom={}, statsigEnvironment={}, privateAttributes={})
    s.user("private", userID="p", privateAttributes={"n": 1e21, "big": 9007199254740993, "small": 1e-7, "list": [1.0, None, "é"], "object": {"a": 1}, "nothing": None, "text": "🎉", "yes": True, "minus": -0.0})
    s.user("environment", statsigEnvironment={"tier": "own", "level": "3"}, custom={"a": [1.0, {"b": None}], "c": None})
    extra = {"isActive": True, "hasSharedParams": True, "explicitParameters": ["x"], "targetAppIDs": ["web"]}
    group = {"groupName": "G", "isExperimentGroup": True}
    kinds = ["feature_gate", "segment", "holdout", "dynamic_config", "experiment", "autotune", "layer", "strange"]
    for kind in kinds:
        s.gate("gate " + kind, gate([rule("R", ["pub"], **group)], entity=kind, **extra), ask=False)
        s.config("config " + kind, config([rule("R", ["pub"], {"a": 1}, **group)], entity=kind, **extra), ask=False)
        s.specs["layer_configs"]["layer " + kind] = config([rule("R", ["pub"], {"a": 1}, **group)], entity=kind, **extra)
    for value in [True, False, None, [], "text", {}]:
        name = "value " + dumps(value)
        s.config(name, {**config([]), "defaultValue": value}, ask=False)
        s.config("experiment " + name, {**experiment([rule("R", ["pub"], value)])}, ask=False)
        s.specs["layer_configs"][name] = {**layer([]), "defaultValue": value}
    for unit in ["stableID", "stableid", "StableID", "", "companyID"]:
        s.config("unit " + unit, experiment([], idType=unit), ask=False)
        s.specs["layer_configs"]["unit " + unit] = layer([], idType=unit)
    asks = s.cond("asks", cond("pass_gate", targetValue="gate feature_gate"))
    asks_not = s.cond("asks not", cond("fail_gate", targetValue="gate holdout"))
    asks_segment = s.cond("asks segment", cond("pass_gate", targetValue="gate segment"))
    s.gate("repeats", gate([rule("A", [asks, asks_not, asks, asks_segment, s.cond("no", cond("user_field", "any", "x", targetValue=[]))]), rule("B", [asks, asks_not])]), ask=False)
    s.config("e", experiment([rule("E", [asks, asks_not], {"p": 1}, **group)], isActive=True, hasSharedParams=True, explicitParameters=["p"]), ask=False)
    s.config("e without list", experiment([rule("E", [asks], {"p": 1})]), ask=False)
    for name, delegate in [("delegates", "e"), ("delegates without list", "e without list"), ("delegates to nothing", "ghost")]:
        s.specs["layer_configs"][name] = layer([rule("L", [asks], {"p": 2}, configDelegate=delegate)], {"p": 0, "q": 0}, explicitParameters=["own"])
        s.specs["layer_configs"]["merging " + name] = layer([rule("L", [asks], {"p": 2}, configDelegate=delegate), rule("M", [asks_not], {"r": 3})], {"p": 0, "q": 0}, explicitParameters=["own"], useNewLayerEval=True)
    s.specs["override_rules"] = {"r": rule("r", ["pub"])}
    s.specs["overrides"] = {"mapped": [{"new_config_name": "config autotune", "rules": [{"rule_name": "r"}]}], "mapped layer": [{"new_config_name": "delegates", "rules": [{"rule_name": "r"}]}], "mapped gate": [{"new_config_name": "repeats", "rules": [{"rule_name": "r"}]}]}
    s.config("mapped", config([rule("M", ["pub"], {"v": "old"})]), ask=False)
    s.gate("mapped gate", gate([]), ask=False)
    s.specs["layer_configs"]["mapped layer"] = layer([], {"old": 1})
    bandit = {"salt": "b", "defaultValue": {"arm": 0}, "idType": "stableID", "enabled": True, "version": 1, "sampleRate": 0, "higherIsBetter": True, "groups": [{"name": "B", "id": "b1", "parameterValues": {"arm": 1}}]}
    s.config("same name", experiment([rule("E", ["pub"], {"no": 1})]), ask=False)
    s.specs["cmab_configs"] = {"bandit": bandit, "same name": {**bandit, "idType": "userID", "config": {"b1": {"alpha": 1, "intercept": 1, "records": 1, "weightsNumerical": {"level": 1}, "weightsCategorical": {}}}}, "off": {**bandit, "enabled": False},
                               "targeted": {**bandit, "targetingGateName": "gate holdout", "targetAppIDs": ["web"]}}
    s.specs["param_stores"] = {"store": {"parameters": {"odd": {"ref_type": "odd", "param_type": "number", "value": 3.0}, "null": {"ref_type": "static", "param_type": "string", "value": None}, "gate": {"ref_type": "gate", "param_type": "string", "gate_name": "repeats", "pass_value": {"a": [1]}, "fail_value": None},
                                                        "two": {"ref_type": "layer", "param_type": "string", "config_name": "mapped", "layer_name": "delegates", "param_name": "p"}}, "targetAppIDs": ["web"]}, "empty": {"parameters": {}}}
    s.specs["session_replay_info"] = {"sampling_rate": 1, "session_recording_event_triggers": {"drawn": {"passes_sampling": True}, "always": {"sampling_rate": 1, "passes_sampling": False, "values": []}}, "session_recording_privacy_settings": {"privacy_mode": "min"}}
    s.specs["app_id"] = "server"
    s.specs["default_environment"] = "fallback"
    s.specs["sdk_keys_to_app_ids"] = {"client-web": "plain", "client-plain": "web", "client-number": 5.0, "client-object": {"x": 1}}
    s.specs["hashed_sdk_keys_to_app_ids"] = {djb2("client-web"): "web", djb2("client-number"): 5.0, djb2("client-object"): {"x": 1}, djb2("client-array"): ["web"]}
    s.gate("for 5", gate([], targetAppIDs=["5"]), ask=False)
    s.gate("for list", gate([], targetAppIDs=['["web"]']), ask=False)
    s.gate("for nobody", gate([], targetAppIDs=[]), ask=False)
    s.plan["gcir"] = [{"id": h, "hash": h, "users": None} for h in ["none", "djb2", "sha256"]] + [{"id": k, "hash": "none", "client_key": k, "users": ["plain"]} for k in ["client-web", "client-number", "client-object", "client-array", "client-unknown", "client-plain", ""]]
    return s


SETS = {
    "operators": operators,
    "patterns": patterns,
    "lookups": lambda: lookups(default_environment="staging", app_id="app-1"),
    "lookups_options": lambda: lookups("corners_lookups_options", {"environment": "Production", "global_custom_fields": {"plan": "global-plan", "Region": "EU", "region": "eu", "level": "3", "userID": "g", "user_id": "g_", "country": "GX", "os_name": "mine", "ip": "1.1.1.1"}}, app_id=["app-1"]),
    "lookups_bare": lambda: lookups("corners_lookups_bare", app_id=5),
    "units": units,
    "graph": graph,
    "overrides": overrides,
    "client_response": client_response,
}


def main(out, names):
    for name in names or SETS:
        SETS[name]().write(out)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2:])

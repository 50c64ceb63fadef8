//! The words of placeholders, lower case.

/// Words that are decisive wherever they stand: too long to be chance.
#[rustfmt::skip]
pub(super) const DECISIVE: &[&str] = &[
    "example", "placeholder", "changeme", "change_me", "change-me", "changethis", "change_this",
    "change-this", "replaceme", "replace_me", "replace-me", "replace_with", "replace-with", "replacewith",
    "replace_this", "replace-this", "insert_your", "insert-your", "insertyour", "your_key", "your-key",
    "yourkey", "your_api", "your-api", "yourapi", "your_token", "your-token", "yourtoken", "your_secret",
    "your-secret", "yoursecret", "your_pass", "your-pass", "yourpass", "your_own", "your-own", "redacted",
    "notreal", "not_real", "not-real", "not_a_real", "not-a-real", "notareal", "fake_key", "fake-key",
    "fakekey", "fake_token", "fake-token", "faketoken", "dummykey", "dummy_", "dummy-", "dummytoken",
    "mysecret", "my_secret", "supersecret", "super_secret", "super-secret", "foobar", "lorem_ipsum",
    "xxxxxx", "xxxx-xxxx", "********",
];

/// Words that are decisive where punctuation or the ends of the value set them off.
pub(super) const SET_OFF: &[&str] = &[
    "fake",
    "dummy",
    "mock",
    "mocked",
    "sample",
    "todo",
    "tbd",
    "fixme",
    "your",
    "insert",
    "here",
    "xxx",
    "xxxx",
    "xxxxx",
    "foo",
    "bar",
    "baz",
    "masked",
    "hidden",
    "removed",
    "censored",
    "sanitized",
    "invalid",
    "bogus",
    "undefined",
    "notasecret",
    "nonexistent",
];

/// Words that count by the share of the value they cover.
#[rustfmt::skip]
pub(super) const WEAK: &[&str] = &[
    "access", "account", "add", "admin", "administrator", "and", "api", "apikey", "app", "application",
    "auth", "authorization", "aws", "azure", "base", "bearer", "blank", "bot", "client", "cloud", "code",
    "config", "credential", "credentials", "custom", "data", "database", "db", "default", "demo", "dev",
    "development", "empty", "enter", "env", "error", "false", "for", "from", "generated", "generic", "get",
    "github", "google", "goes", "guest", "hello", "host", "id", "in", "integration", "is", "jwt", "key",
    "live", "local", "localhost", "login", "long", "main", "master", "me", "my", "mysql", "name", "new",
    "nil", "no", "none", "not", "null", "oauth", "of", "old", "only", "openai", "or", "pass", "passphrase",
    "passwd", "password", "please", "postgres", "private", "prod", "production", "provide", "provided",
    "public", "pw", "pwd", "qwerty", "asdf", "asdfgh", "zxcvbn", "random", "real", "redis", "root", "safe",
    "secret", "secrets", "secretkey", "secure", "service", "session", "set", "shared", "shh", "should",
    "sign", "signing", "some", "someone", "something", "staging", "static", "stored", "string", "strong",
    "stub", "super", "temp", "temporary", "test", "tester", "testing", "the", "this", "tmp", "to", "token",
    "true", "type", "unit", "unknown", "unset", "unused", "use", "used", "user", "username", "val", "valid",
    "value", "var", "very", "webhook", "with", "world", "abc", "abcd", "xyz", "aaa", "bbb", "123", "1234",
    "12345", "123456", "1234567", "12345678", "123456789", "1234567890",
];

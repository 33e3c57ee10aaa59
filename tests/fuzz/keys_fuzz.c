/*
 * keys_fuzz.c - what a terminal sends, whole and byte by byte: the same keys, and never more of them
 * than bytes
 */
#include "fuzz.h"

#include <eddy/keys.h>

#include <string.h>

struct sum {
    uint64_t hash;
    size_t keys;
    size_t pasted;
};

static void add(struct sum *sum, const struct eddy_key *key)
{
    char word[48];

    REQUIRE(key->code <= EDDY_KEY_UNKNOWN);
    REQUIRE(eddy_key_text(key, word, sizeof word) == word && strlen(word) < sizeof word);
    sum->keys++;
    if (key->code == EDDY_KEY_PASTE) { /* pieces may be cut otherwise */
        REQUIRE(key->text.len > 0 && key->text.len <= 256);
        sum->pasted += key->text.len;
        for (size_t i = 0; i < key->text.len; i++)
            sum->hash = sum->hash * 31 + (unsigned char)key->text.ptr[i];
        return;
    }
    sum->hash = sum->hash * 1000003 + key->code * 256 + key->mods;
    sum->hash = sum->hash * 1000003 + key->mouse.column * 7 + key->mouse.row + key->mouse.button;
}

static struct sum decode(const char *bytes, size_t len, size_t step)
{
    struct eddy_keys keys = EDDY_KEYS;
    struct eddy_key key;
    struct sum sum = { 0 };

    for (size_t i = 0; i < len; i += step) {
        const char *at = bytes + i, *end = at + (len - i < step ? len - i : step);
        while (eddy_keys_decode(&keys, &at, end, &key))
            add(&sum, &key);
        REQUIRE(at == end && keys.len <= EDDY_KEYS_HELD);
    }
    while (eddy_keys_give_up(&keys, &key))
        add(&sum, &key);
    REQUIRE(!eddy_keys_held(&keys));
    REQUIRE(sum.keys <= 2 * len && sum.pasted <= len);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct sum whole = decode(bytes, size, size ? size : 1), one = decode(bytes, size, 1),
               some = decode(bytes, size, 7);

    REQUIRE(whole.hash == one.hash && whole.hash == some.hash);
    REQUIRE(whole.pasted == one.pasted && whole.pasted == some.pasted);
    return 0;
}

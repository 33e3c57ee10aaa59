/*
 * What terminals send, and the keys it is.
 */
#include "check.h"

#include <eddy/keys.h>

#include <stdio.h>
#include <string.h>

/* All of @bytes, in parts of @step, then giving up; the keys in words. */
static void decode(const char *bytes, size_t len, size_t step, char *words, size_t cap)
{
    struct eddy_keys keys = EDDY_KEYS;
    struct eddy_key key;
    char word[48];
    size_t used = 0;

    *words = '\0';
    for (size_t i = 0; i < len || (i == len && len == 0); i += step) {
        char part[64]; /* a copy: so nothing stays pointed to */
        size_t n = len - i < step ? len - i : step;
        if (!EDDY_CHECK(n <= sizeof part))
            return;
        memcpy(part, bytes + i, n);
        const char *at = part;
        while (eddy_keys_decode(&keys, &at, part + n, &key) && used < cap - 1)
            used += (size_t)snprintf(words + used, cap - used, "%s ",
                                     eddy_key_text(&key, word, sizeof word));
        EDDY_CHECK(at == part + n);
        memset(part, 'x', sizeof part);
    }
    while (eddy_keys_held(&keys) && eddy_keys_give_up(&keys, &key) && used < cap - 1)
        used += (size_t)snprintf(words + used, cap - used, "%s ",
                                 eddy_key_text(&key, word, sizeof word));
    EDDY_CHECK(!eddy_keys_held(&keys));
    if (used > 0)
        words[used - 1] = '\0';
}

struct row {
    const char *name;
    const char *bytes;
    const char *want;
};

static const struct row rows[] = {
    { "characters", "aZ ~", "a Z Space ~" },
    { "UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "U+00E9 U+20AC U+1F600" },
    { "control", "\1\32\34\37", "Ctrl+a Ctrl+z Ctrl+\\ Ctrl+_" },
    { "their own", "\t\r\n\177\10", "Tab Enter Ctrl+j Backspace Ctrl+h" },
    { "Alt", "\033a\033\xc3\xa9\033\1\033\r", "Alt+a Alt+U+00E9 Ctrl+Alt+a Alt+Enter" },
    { "xterm arrows", "\033[A\033[B\033[C\033[D", "Up Down Right Left" },
    { "xterm keypad mode", "\033OA\033OB\033OH\033OF", "Up Down Home End" },
    { "xterm with mods", "\033[1;2A\033[1;5C\033[1;8D\033[1;3H",
      "Shift+Up Ctrl+Right Ctrl+Alt+Shift+Left Alt+Home" },
    { "xterm functions", "\033OP\033OQ\033OR\033OS\033[15~\033[24~\033[1;5P\033[15;2~",
      "F1 F2 F3 F4 F5 F12 Ctrl+F1 Shift+F5" },
    { "xterm edit", "\033[H\033[F\033[2~\033[3~\033[5~\033[6~\033[3;5~",
      "Home End Insert Delete Page Up Page Down Ctrl+Delete" },
    { "xterm other keys", "\033[27;5;105~\033[27;6;97~", "Ctrl+i Ctrl+Shift+a" },
    { "back tab", "\033[Z\033[1;5Z", "Shift+Tab Ctrl+Shift+Tab" },
    { "Linux functions", "\033[[A\033[[E\033[17~\033[25~", "F1 F5 F6 F13" },
    { "Linux edit", "\033[1~\033[4~\033[G", "Home End Center" },
    { "rxvt edit", "\033[7~\033[8~\033[7$\033[8^\033[3@",
      "Home End Shift+Home Ctrl+End Ctrl+Shift+Delete" },
    { "rxvt arrows", "\033[a\033[d\033Oa\033Od\033\033[A",
      "Shift+Up Shift+Left Ctrl+Up Ctrl+Left Alt+Up" },
    { "rxvt functions", "\033[11~\033[14~\033[23^", "F1 F4 Ctrl+F11" },
    { "keypad", "\033Op\033Oy\033OM\033Ok", "0 9 Enter +" },
    { "kitty", "\033[97u\033[97;5u\033[27u\033[13;2u\033[127;3u",
      "a Ctrl+a Escape Shift+Enter Alt+Backspace" },
    { "kitty events", "\033[97;1:1u\033[97;1:2u\033[97;5:3u\033[1;1:3A",
      "a a (repeated) Ctrl+a (released) Up (released)" },
    { "kitty alternates", "\033[97:65;2u\033[1089::99;5u\033[97;;229u", "Shift+a Ctrl+U+0441 a" },
    { "kitty keypad", "\033[57399u\033[57414u\033[57417u\033[57376u", "0 Enter Left F13" },
    { "kitty super", "\033[97;9u", "Super+a" },
    { "focus", "\033[I\033[O", "Focus in Focus out" },
    { "unknown, whole", "\033[99~\033[?1;2c\033[200;1Ra\033[M", "Unknown Unknown F3 a Unknown" },
    { "an answer", "\033[?2026;2$yb", "Unknown b" },
    { "cut by a key", "\033[1;\1x", "Unknown Ctrl+a x" },
    { "cut by an ESC", "\033[1;\033[A", "Unknown Up" },
    { "cut by UTF-8", "\033[1\xc3\xa9", "Unknown U+00E9" },
    { "twice ESC, and more", "\033\033\033[A", "Alt+Escape Up" },
};

EDDY_TEST(every_terminals_keys_are_named)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[400];
        decode(rows[i].bytes, strlen(rows[i].bytes), 64, words, sizeof words);
        if (!EDDY_CHECK_STR(words, rows[i].want))
            EDDY_CHECK_FAIL("%s", rows[i].name);
    }
}

EDDY_TEST(bytes_may_be_cut_anywhere)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 5; step++) {
            char words[400];
            decode(rows[i].bytes, strlen(rows[i].bytes), step, words, sizeof words);
            if (!EDDY_CHECK_STR(words, rows[i].want))
                EDDY_CHECK_FAIL("%s, by %zu", rows[i].name, step);
        }
    }
}

EDDY_TEST(an_escape_alone_is_told_by_giving_up)
{
    static const struct row held[] = {
        { "alone", "\033", "Escape" },
        { "twice", "\033\033", "Alt+Escape" },
        { "Alt and [", "\033[", "Alt+[" },
        { "Alt and O", "\033O", "Alt+Shift+O" },
        { "half a key", "\033[1;5", "Unknown" },
        { "half a Linux key", "\033[[", "Unknown" },
        { "half a character", "\xe2\x82", "U+FFFD" },
    };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        struct eddy_keys keys = EDDY_KEYS;
        struct eddy_key key;
        char word[48];
        const char *at = held[i].bytes, *end = at + strlen(at);
        EDDY_CHECK(!eddy_keys_held(&keys) && !eddy_keys_give_up(&keys, &key));
        EDDY_CHECK(!eddy_keys_decode(&keys, &at, end, &key));
        EDDY_CHECK(at == end && eddy_keys_held(&keys));
        if (EDDY_CHECK(eddy_keys_give_up(&keys, &key)))
            EDDY_CHECK_STR(eddy_key_text(&key, word, sizeof word), held[i].want);
        EDDY_CHECK(!eddy_keys_held(&keys) && !eddy_keys_give_up(&keys, &key));
    }
}

/* What was pasted, put together; and that nothing but pieces and one end came, before a key 'k'. */
static void paste(const char *bytes, size_t len, size_t step, char *text, size_t *ret_len)
{
    struct eddy_keys keys = EDDY_KEYS;
    struct eddy_key key;
    int ends = 0;

    *ret_len = 0;
    for (size_t i = 0; i < len; i += step) {
        const char *at = bytes + i, *end = at + (len - i < step ? len - i : step);
        while (eddy_keys_decode(&keys, &at, end, &key)) {
            if (key.code == EDDY_KEY_PASTE) {
                EDDY_CHECK(key.text.len > 0 && key.text.len <= sizeof keys.paste && ends == 0);
                memcpy(text + *ret_len, key.text.ptr, key.text.len);
                *ret_len += key.text.len;
            } else if (key.code == EDDY_KEY_PASTE_END) {
                ends++;
            } else {
                EDDY_CHECK(ends == 1 && key.code == 'k');
            }
        }
        EDDY_CHECK(ends || !eddy_keys_held(&keys) || *ret_len == 0);
    }
    EDDY_CHECK_EQ(ends, 1);
}

EDDY_TEST(a_paste_comes_in_pieces_and_holds_no_keys)
{
    static char bytes[5000], got[5000];
    static const char content[] = "a\033[Ab\033[201\033[20\033[200~\033\033c\001\033[201 ~";
    size_t len = 0, wanted;

    len += (size_t)sprintf(bytes, "\033[200~");
    for (int i = 0; i < 100; i++)
        len += (size_t)sprintf(bytes + len, "%s", content);
    wanted = len - 6;
    len += (size_t)sprintf(bytes + len, "\033[201~k");
    for (size_t step = 1; step < 700; step += step < 20 ? 1 : 83) {
        size_t got_len;
        paste(bytes, len, step, got, &got_len);
        if (!EDDY_CHECK_MEM(got, got_len, bytes + 6, wanted))
            EDDY_CHECK_FAIL("by %zu", step);
    }
}

EDDY_TEST(what_is_no_utf8_is_a_replacement)
{
    static const struct row broken[] = {
        { "a lone continuation",
          "\x80"
          "a",
          "U+FFFD a" },
        { "no first byte", "\xc0\xaf", "U+FFFD U+FFFD" },
        { "cut short",
          "\xe2\x82"
          "a",
          "U+FFFD a" },
        { "a surrogate", "\xed\xa0\x80", "U+FFFD U+FFFD U+FFFD" },
        { "overlong", "\xe0\x80\xaf", "U+FFFD U+FFFD U+FFFD" },
        { "too high", "\xf4\x90\x80\x80", "U+FFFD U+FFFD U+FFFD U+FFFD" },
        { "C1",
          "\x9b"
          "A",
          "U+FFFD A" },
    };

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        for (size_t step = 1; step < 6; step++) {
            char words[100];
            decode(broken[i].bytes, strlen(broken[i].bytes), step, words, sizeof words);
            if (!EDDY_CHECK_STR(words, broken[i].want))
                EDDY_CHECK_FAIL("%s, by %zu", broken[i].name, step);
        }
}

EDDY_TEST(the_mouse_is_told)
{
    static const struct {
        const char *bytes;
        unsigned button, column, row, mods;
        bool moved;
    } moves[] = {
        { "\033[<0;10;20M", EDDY_MOUSE_LEFT, 10, 20, 0, false },
        { "\033[<0;10;20m", EDDY_MOUSE_LEFT, 10, 20, EDDY_KEY_RELEASE, false },
        { "\033[<2;1;1M", EDDY_MOUSE_RIGHT, 1, 1, 0, false },
        { "\033[<34;300;5M", EDDY_MOUSE_RIGHT, 300, 5, 0, true },
        { "\033[<35;300;5M", EDDY_MOUSE_NONE, 300, 5, 0, true },
        { "\033[<64;1;2M", EDDY_MOUSE_WHEEL_UP, 1, 2, 0, false },
        { "\033[<81;1;2M", EDDY_MOUSE_WHEEL_DOWN, 1, 2, EDDY_KEY_CTRL, false },
        { "\033[<12;1;2M", EDDY_MOUSE_LEFT, 1, 2, EDDY_KEY_SHIFT | EDDY_KEY_ALT, false },
        { "\033[<128;1;2M", EDDY_MOUSE_EXTRA, 1, 2, 0, false },
    };

    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct eddy_keys keys = EDDY_KEYS;
        struct eddy_key key = { 0 };
        const char *at = moves[i].bytes;
        EDDY_CHECK(eddy_keys_decode(&keys, &at, at + strlen(at), &key) && !*at);
        EDDY_CHECK_EQ(key.code, EDDY_KEY_MOUSE);
        EDDY_CHECK_EQ(key.mods, moves[i].mods);
        EDDY_CHECK_EQ(key.mouse.button, moves[i].button);
        EDDY_CHECK_EQ(key.mouse.column, moves[i].column);
        EDDY_CHECK_EQ(key.mouse.row, moves[i].row);
        EDDY_CHECK_EQ(key.mouse.moved, moves[i].moved);
    }
}

EDDY_TEST(garbage_never_hangs_or_grows)
{
    static char bytes[20000];
    struct eddy_key key;
    uint64_t dice = eddy_check_number("EDDY_SEED", 1);

    for (int round = 0; round < 200; round++) {
        struct eddy_keys keys = EDDY_KEYS;
        static const char often[] = "\033\033[[<;;:012389~O\xc3\xa9\x80 uM";
        for (size_t i = 0; i < sizeof bytes; i++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            unsigned roll = (unsigned)(dice >> 33);
            bytes[i] = roll % 4 ? often[roll / 4 % (sizeof often - 1)] : (char)(roll >> 8);
        }
        const char *at = bytes;
        size_t told = 0;
        while (eddy_keys_decode(&keys, &at, bytes + sizeof bytes, &key))
            told++;
        EDDY_CHECK(at == bytes + sizeof bytes && told <= sizeof bytes);
        EDDY_CHECK(keys.len <= EDDY_KEYS_HELD);
    }
    /* A sequence that never ends holds up no key for longer than it goes on. */
    struct eddy_keys keys = EDDY_KEYS;
    memset(bytes, '1', sizeof bytes);
    memcpy(bytes, "\033[", 2);
    memcpy(bytes + sizeof bytes - 2, "~a", 2);
    const char *at = bytes;
    EDDY_CHECK(eddy_keys_decode(&keys, &at, bytes + sizeof bytes, &key));
    EDDY_CHECK_EQ(key.code, EDDY_KEY_UNKNOWN);
    EDDY_CHECK(eddy_keys_decode(&keys, &at, bytes + sizeof bytes, &key) && key.code == 'a');
}

EDDY_TEST(a_text_fits_or_is_cut)
{
    struct eddy_key key = { .code = EDDY_KEY_PAGE_DOWN,
                            .mods = EDDY_KEY_SHIFT | EDDY_KEY_ALT | EDDY_KEY_CTRL | EDDY_KEY_SUPER |
                                    EDDY_KEY_RELEASE };
    char buf[48];

    EDDY_CHECK_STR(eddy_key_text(&key, buf, sizeof buf),
                   "Super+Ctrl+Alt+Shift+Page Down (released)");
    EDDY_CHECK_STR(eddy_key_text(&key, buf, 6), "Super");
}

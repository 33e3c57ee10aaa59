/*
 * eddy/keys.h - what a terminal sends, as keys: pure, bytes in, events out
 *
 *     struct eddy_keys keys = EDDY_KEYS;
 *     struct eddy_key key;
 *
 *     while (eddy_keys_decode(&keys, &at, end, &key))
 *         use(&key);
 *     if (eddy_keys_held(&keys))  // nothing came for 50 ms: a lone Escape
 *         while (eddy_keys_give_up(&keys, &key))
 *             use(&key);
 *
 * Understood are xterm, the Linux console, rxvt, and the basics of kitty's protocol: characters in
 * UTF-8, Ctrl, Alt and Shift, arrows, function keys, Home and its like, pastes that are bracketed,
 * focus, and the mouse as SGR tells it. Bytes may come cut anywhere. What nobody knows is
 * EDDY_KEY_UNKNOWN, or the characters it is made of; nothing is kept beyond 32 bytes, so no input
 * grows or hangs it. Tasks use eddy_keys_next() of eddy/terminal.h, which does the timing.
 *
 * What holds, with the test that shows it (tests/codec/keys_test.c):
 *
 *  rule                                               test
 *  -------------------------------------------------  -------------------------------------------
 *  Keys of each terminal are told by name             every_terminals_keys_are_named
 *  Bytes may be cut anywhere                          bytes_may_be_cut_anywhere
 *  A lone ESC is a key once one has waited for more   an_escape_alone_is_told_by_giving_up
 *  A paste comes in pieces, and cannot end early      a_paste_comes_in_pieces_and_holds_no_keys
 *  What is no UTF-8 is U+FFFD, each part once         what_is_no_utf8_is_a_replacement
 *  Whatever comes, it ends, and no more is held       garbage_never_hangs_or_grows
 */
#ifndef EDDY_KEYS_H
#define EDDY_KEYS_H

#include <eddy/common.h>

EDDY_BEGIN

/* eddy_key.code: a character is its Unicode number, everything else stands above those. */
enum eddy_key_code {
    EDDY_KEY_TAB = '\t',
    EDDY_KEY_ENTER = '\r',
    EDDY_KEY_ESCAPE = 0x1b,
    EDDY_KEY_BACKSPACE = 0x7f,
    EDDY_KEY_UP = 0x110000,
    EDDY_KEY_DOWN,
    EDDY_KEY_RIGHT,
    EDDY_KEY_LEFT,
    EDDY_KEY_HOME,
    EDDY_KEY_END,
    EDDY_KEY_INSERT,
    EDDY_KEY_DELETE,
    EDDY_KEY_PAGE_UP,
    EDDY_KEY_PAGE_DOWN,
    EDDY_KEY_CENTER, /* 5 of the keypad */
    EDDY_KEY_F1,     /* EDDY_KEY_F1 + n - 1 is Fn */
    EDDY_KEY_F24 = EDDY_KEY_F1 + 23,
    EDDY_KEY_PASTE,     /* .text: a piece of what was pasted, for as long as the decoder rests */
    EDDY_KEY_PASTE_END, /* after the last piece */
    EDDY_KEY_FOCUS_IN,
    EDDY_KEY_FOCUS_OUT,
    EDDY_KEY_MOUSE,   /* .mouse */
    EDDY_KEY_UNKNOWN, /* a sequence that means no key we know; consumed whole */
};

enum eddy_key_mods {
    EDDY_KEY_SHIFT = 1, /* of characters only where the terminal tells it apart */
    EDDY_KEY_ALT = 2,
    EDDY_KEY_CTRL = 4,
    EDDY_KEY_SUPER = 8,
    EDDY_KEY_REPEAT = 64,   /* kitty's: held down */
    EDDY_KEY_RELEASE = 128, /* kitty's: let go; and of the mouse a button */
};

enum eddy_mouse_button {
    EDDY_MOUSE_LEFT,
    EDDY_MOUSE_MIDDLE,
    EDDY_MOUSE_RIGHT,
    EDDY_MOUSE_NONE, /* moved with none held */
    EDDY_MOUSE_WHEEL_UP,
    EDDY_MOUSE_WHEEL_DOWN,
    EDDY_MOUSE_WHEEL_LEFT,
    EDDY_MOUSE_WHEEL_RIGHT,
    EDDY_MOUSE_EXTRA, /* the first of four more */
};

struct eddy_key {
    uint32_t code; /* a character, or enum eddy_key_code */
    unsigned mods; /* of enum eddy_key_mods */
    struct {
        unsigned button; /* enum eddy_mouse_button */
        unsigned column; /* from 1 */
        unsigned row;
        bool moved; /* else pressed, or let go (EDDY_KEY_RELEASE) */
    } mouse;
    struct {
        const char *ptr;
        size_t len;
    } text;
};

enum { EDDY_KEYS_HELD = 32 };

/* Caller-placed; the members are the decoder's. */
struct eddy_keys {
    unsigned char held[EDDY_KEYS_HELD]; /* of a key that is not whole */
    unsigned char paste[256];           /* the piece that was told last */
    uint8_t len;
    uint8_t state;
    bool alt;
};

#define EDDY_KEYS ((struct eddy_keys){ .len = 0 })

/**
 * eddy_keys_decode() - take bytes up to the end of the next key
 * @keys:    made of EDDY_KEYS
 * @at:      the first byte; moved past what was taken
 * @end:     behind the last byte
 * @ret_key: written when true is returned
 *
 * Return: true: a key; false: all was taken, and there is no whole key (yet).
 * Source: ECMA-48, xterm's ctlseqs, console_codes(4).   Since: 0.1
 */
EDDY_API bool eddy_keys_decode(struct eddy_keys *keys, const char **at, const char *end,
                               struct eddy_key *ret_key);

/** eddy_keys_held() - whether bytes wait for more that may never come: ask again after a time
 * @keys: any
 *
 * Return: true also after a lone ESC; false inside a paste, which has no end by time.
 * Source: none.   Since: 0.1 */
EDDY_API bool eddy_keys_held(const struct eddy_keys *keys);

/** eddy_keys_give_up() - nothing more came: what is held, as the keys it is
 * @keys:    any
 * @ret_key: written when true is returned
 *
 * Return: true: a key; ask again. False: nothing is held.   Source: none.   Since: 0.1 */
EDDY_API bool eddy_keys_give_up(struct eddy_keys *keys, struct eddy_key *ret_key);

/** eddy_key_text() - a key in words: "Ctrl+Alt+Left", "F5", "a", "U+1F600"
 * @key: any
 * @buf: filled and terminated
 * @cap: 48 is enough for all; less is cut
 *
 * Return: @buf.   Source: none, for people.   Since: 0.1 */
EDDY_API const char *eddy_key_text(const struct eddy_key *key, char *buf, size_t cap);

EDDY_END

#endif

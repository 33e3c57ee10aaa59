/*
 * codec/keys.c - what a terminal sends, as keys
 *
 *   GROUND   nothing is held                      UTF8     the beginning of a character
 *   ESC      an ESC: Alt, or more is to come      SS3      ESC O, a letter follows
 *   CSI      ESC [, parameters, a final byte      LINUX    ESC [ [, a letter follows
 *   SKIP     a CSI longer than can be held: up to its final byte, then UNKNOWN
 *   PASTE    between ESC [ 200 ~ and ESC [ 201 ~; what is held is the beginning of that end
 *
 * `held` has the bytes since the ESC, or of the character. A byte that cannot be where it stands
 * ends what is held; it is looked at again from GROUND, so no garbage hides the keys behind it.
 */
#include <eddy/keys.h>

#include <stdio.h>
#include <string.h>

enum state { GROUND, UTF8, ESC, SS3, CSI, LINUX, SKIP, PASTE };

#define REPLACEMENT 0xfffdu
static const char paste_end[] = "\033[201~";
enum { PASTE_END_LEN = sizeof paste_end - 1 };

static void reset(struct eddy_keys *k)
{
    k->state = GROUND;
    k->len = 0;
    k->alt = false;
}

static bool tell(struct eddy_keys *k, uint32_t code, unsigned mods, struct eddy_key *ret)
{
    *ret = (struct eddy_key){ .code = code, .mods = mods | (k->alt ? EDDY_KEY_ALT : 0u) };
    reset(k);
    return true;
}

/* --- characters ------------------------------------------------------------------------------- */

/* A byte below 0x80: a character, or a key that is one byte. */
static bool tell_ascii(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    if (c == '\t' || c == '\r' || c == 0x1b || c == 0x7f)
        return tell(k, c, 0, ret);
    if (c == '\n')
        return tell(k, 'j', EDDY_KEY_CTRL, ret);
    if (c == 0)
        return tell(k, ' ', EDDY_KEY_CTRL, ret);
    if (c < 0x1b)
        return tell(k, c + 'a' - 1u, EDDY_KEY_CTRL, ret);
    if (c < 0x20)
        return tell(k, c + 0x40u, EDDY_KEY_CTRL, ret); /* Ctrl-\ ] ^ _ */
    return tell(k, c, 0, ret);
}

/* How long a character is that begins with @c; 0: none does. */
static unsigned length_of(unsigned char c)
{
    return c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
}

/* Whether @c may be the second byte of what begins with @first (RFC 3629, 4: table of syntax). */
static bool may_follow(unsigned char first, unsigned char c)
{
    switch (first) {
    case 0xe0: return c >= 0xa0 && c <= 0xbf;
    case 0xed: return c >= 0x80 && c <= 0x9f;
    case 0xf0: return c >= 0x90 && c <= 0xbf;
    case 0xf4: return c >= 0x80 && c <= 0x8f;
    default: return c >= 0x80 && c <= 0xbf;
    }
}

static uint32_t character(const unsigned char *c, unsigned len)
{
    uint32_t code = c[0] & (0x7fu >> len);

    for (unsigned i = 1; i < len; i++)
        code = code << 6 | (c[i] & 0x3fu);
    return code;
}

/* --- sequences -------------------------------------------------------------------------------- */

struct csi {
    char prefix; /* '<', '?', ...; 0: none */
    char final;
    unsigned count;
    struct {
        unsigned value;
        unsigned sub; /* behind the first colon; 0: none */
    } p[4];
};

/* Of `held`, ESC [ ... final. False: not of this form. */
static bool parse(const struct eddy_keys *k, struct csi *s)
{
    const unsigned char *at = k->held + 2, *end = k->held + k->len - 1;
    bool in_sub = false;
    unsigned subs = 0;

    *s = (struct csi){ .final = (char)*end };
    if (at < end && *at >= '<' && *at <= '?')
        s->prefix = (char)*at++;
    if (at < end)
        s->count = 1;
    for (; at < end; at++) {
        unsigned *value = in_sub ? &s->p[s->count - 1].sub : &s->p[s->count - 1].value;
        if (*at >= '0' && *at <= '9') {
            if (subs <= 1 && *value < 100000000)
                *value = *value * 10 + (*at - '0');
        } else if (*at == ':') {
            in_sub = true;
            subs++;
        } else if (*at == ';' && s->count < 4) {
            s->count++;
            in_sub = false;
            subs = 0;
        } else {
            return false;
        }
    }
    return true;
}

/* A parameter of modifiers: one more than its bits; kitty's kind of event may stand behind it. */
static unsigned mods_of(const struct csi *s, unsigned i)
{
    unsigned bits = i < s->count && s->p[i].value ? s->p[i].value - 1 : 0;
    unsigned mods = bits & 15;

    if (bits & 32) /* Meta, where a keyboard has one */
        mods |= EDDY_KEY_ALT;
    if (i < s->count && s->p[i].sub == 2)
        mods |= EDDY_KEY_REPEAT;
    if (i < s->count && s->p[i].sub == 3)
        mods |= EDDY_KEY_RELEASE;
    return mods;
}

static uint32_t by_letter(char c)
{
    switch (c) {
    case 'A': return EDDY_KEY_UP;
    case 'B': return EDDY_KEY_DOWN;
    case 'C': return EDDY_KEY_RIGHT;
    case 'D': return EDDY_KEY_LEFT;
    case 'E': return EDDY_KEY_CENTER;
    case 'F': return EDDY_KEY_END;
    case 'G': return EDDY_KEY_CENTER;
    case 'H': return EDDY_KEY_HOME;
    case 'M': return EDDY_KEY_ENTER;
    case 'P': return EDDY_KEY_F1;
    case 'Q': return EDDY_KEY_F1 + 1;
    case 'R': return EDDY_KEY_F1 + 2;
    case 'S': return EDDY_KEY_F1 + 3;
    default: return EDDY_KEY_UNKNOWN;
    }
}

/* ESC [ n ~ and what rxvt makes of it. */
static uint32_t by_number(unsigned n)
{
    static const uint32_t keys[] = {
        [1] = EDDY_KEY_HOME,     [2] = EDDY_KEY_INSERT,   [3] = EDDY_KEY_DELETE,
        [4] = EDDY_KEY_END,      [5] = EDDY_KEY_PAGE_UP,  [6] = EDDY_KEY_PAGE_DOWN,
        [7] = EDDY_KEY_HOME,     [8] = EDDY_KEY_END,      [11] = EDDY_KEY_F1,
        [12] = EDDY_KEY_F1 + 1,  [13] = EDDY_KEY_F1 + 2,  [14] = EDDY_KEY_F1 + 3,
        [15] = EDDY_KEY_F1 + 4,  [17] = EDDY_KEY_F1 + 5,  [18] = EDDY_KEY_F1 + 6,
        [19] = EDDY_KEY_F1 + 7,  [20] = EDDY_KEY_F1 + 8,  [21] = EDDY_KEY_F1 + 9,
        [23] = EDDY_KEY_F1 + 10, [24] = EDDY_KEY_F1 + 11, [25] = EDDY_KEY_F1 + 12,
        [26] = EDDY_KEY_F1 + 13, [28] = EDDY_KEY_F1 + 14, [29] = EDDY_KEY_F1 + 15,
        [31] = EDDY_KEY_F1 + 16, [32] = EDDY_KEY_F1 + 17, [33] = EDDY_KEY_F1 + 18,
        [34] = EDDY_KEY_F1 + 19,
    };

    return n < sizeof keys / sizeof *keys && keys[n] ? keys[n] : EDDY_KEY_UNKNOWN;
}

/* The number that kitty's protocol, or xterm's modifyOtherKeys, gives a key. */
static uint32_t by_code(unsigned n)
{
    static const uint32_t keypad[] = { '.',
                                       '/',
                                       '*',
                                       '-',
                                       '+',
                                       EDDY_KEY_ENTER,
                                       '=',
                                       ',',
                                       EDDY_KEY_LEFT,
                                       EDDY_KEY_RIGHT,
                                       EDDY_KEY_UP,
                                       EDDY_KEY_DOWN,
                                       EDDY_KEY_PAGE_UP,
                                       EDDY_KEY_PAGE_DOWN,
                                       EDDY_KEY_HOME,
                                       EDDY_KEY_END,
                                       EDDY_KEY_INSERT,
                                       EDDY_KEY_DELETE,
                                       EDDY_KEY_CENTER };

    if (n >= 57399 && n <= 57408)
        return '0' + (n - 57399);
    if (n >= 57409 && n - 57409 < sizeof keypad / sizeof *keypad)
        return keypad[n - 57409];
    if (n >= 57376 && n <= 57387)
        return EDDY_KEY_F1 + 12 + (n - 57376); /* F13 to F24 */
    bool is_character = n > 0 && n < EDDY_KEY_UP && !(n >= 0xd800 && n < 0xf900);
    return is_character && !(n < 0x20 && n != '\t' && n != '\r' && n != 0x1b) ? n
                                                                              : EDDY_KEY_UNKNOWN;
}

static bool tell_mouse(struct eddy_keys *k, const struct csi *s, struct eddy_key *ret)
{
    unsigned b = s->p[0].value;
    unsigned button = b & 3;

    tell(k, EDDY_KEY_MOUSE, 0, ret);
    if (b & 128)
        button += EDDY_MOUSE_EXTRA;
    else if (b & 64)
        button += EDDY_MOUSE_WHEEL_UP;
    ret->mods = (b & 4 ? EDDY_KEY_SHIFT : 0u) | (b & 8 ? EDDY_KEY_ALT : 0u) |
                (b & 16 ? EDDY_KEY_CTRL : 0u) | (s->final == 'm' ? EDDY_KEY_RELEASE : 0u);
    ret->mouse.button = button;
    ret->mouse.moved = (b & 32) != 0;
    ret->mouse.column = s->p[1].value;
    ret->mouse.row = s->p[2].value;
    return true;
}

/* A whole CSI is held. False: the beginning of a paste, which is no key. */
static bool tell_csi(struct eddy_keys *k, struct eddy_key *ret)
{
    struct csi s;
    uint32_t code = EDDY_KEY_UNKNOWN;
    unsigned mods = 0;

    if (!parse(k, &s))
        return tell(k, EDDY_KEY_UNKNOWN, 0, ret);
    if (s.prefix == '<' && (s.final == 'M' || s.final == 'm') && s.count == 3)
        return tell_mouse(k, &s, ret);
    if (s.prefix)
        return tell(k, EDDY_KEY_UNKNOWN, 0, ret);
    switch (s.final) {
    case '~':
        if (s.p[0].value == 200) {
            reset(k);
            k->state = PASTE;
            return false;
        }
        code = s.p[0].value == 27 && s.count == 3 ? by_code(s.p[2].value) : by_number(s.p[0].value);
        mods = mods_of(&s, 1);
        break;
    case '$': /* rxvt: Shift, Ctrl, both */
    case '^':
    case '@':
        code = by_number(s.p[0].value);
        mods = s.final == '$'   ? EDDY_KEY_SHIFT
               : s.final == '^' ? EDDY_KEY_CTRL
                                : EDDY_KEY_SHIFT | EDDY_KEY_CTRL;
        break;
    case 'a': /* rxvt: Shift and an arrow */
    case 'b':
    case 'c':
    case 'd':
        code = by_letter((char)(s.final - 'a' + 'A'));
        mods = EDDY_KEY_SHIFT;
        break;
    case 'u':
        code = by_code(s.p[0].value);
        mods = mods_of(&s, 1);
        break;
    case 'Z':
        code = EDDY_KEY_TAB;
        mods = mods_of(&s, 1) | EDDY_KEY_SHIFT;
        break;
    case 'I':
    case 'O':
        if (s.count == 0)
            code = s.final == 'I' ? EDDY_KEY_FOCUS_IN : EDDY_KEY_FOCUS_OUT;
        break;
    default: code = s.final == 'M' ? EDDY_KEY_UNKNOWN : by_letter(s.final); mods = mods_of(&s, 1);
    }
    return tell(k, code, code == EDDY_KEY_UNKNOWN ? 0 : mods, ret);
}

/* ESC O and a letter: the keypad, and F1 to F4; rxvt's Ctrl and an arrow. */
static bool tell_ss3(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    static const char keypad[] = "*+,-./0123456789";

    if (c >= 'a' && c <= 'd')
        return tell(k, by_letter((char)(c - 'a' + 'A')), EDDY_KEY_CTRL, ret);
    if (c >= 'j' && c <= 'y')
        return tell(k, (uint32_t)keypad[c - 'j'], 0, ret);
    if (c == 'X')
        return tell(k, '=', 0, ret);
    return tell(k, by_letter((char)c), 0, ret);
}

/* --- a byte ----------------------------------------------------------------------------------- */

enum outcome { MORE, KEY, AGAIN };

static enum outcome hold(struct eddy_keys *k, unsigned char c, enum state state)
{
    k->held[k->len++] = c;
    k->state = (uint8_t)state;
    return MORE;
}

static enum outcome in_ground(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    if (c == 0x1b)
        return hold(k, c, ESC);
    if (length_of(c))
        return hold(k, c, UTF8);
    if (c >= 0x80)
        return tell(k, REPLACEMENT, 0, ret) ? KEY : MORE;
    return tell_ascii(k, c, ret) ? KEY : MORE;
}

static enum outcome in_utf8(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    const unsigned len = length_of(k->held[0]);

    if (k->len == 1 ? !may_follow(k->held[0], c) : (c & 0xc0) != 0x80) {
        tell(k, REPLACEMENT, 0, ret);
        return AGAIN;
    }
    hold(k, c, UTF8);
    if (k->len == len)
        return tell(k, character(k->held, len), 0, ret) ? KEY : MORE;
    return MORE;
}

static enum outcome in_esc(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    if (c == '[')
        return hold(k, c, CSI);
    if (c == 'O')
        return hold(k, c, SS3);
    if (c == 0x1b && !k->alt) { /* rxvt: Alt and a key that has a sequence */
        k->alt = true;
        return MORE;
    }
    if (c == 0x1b)
        return tell(k, EDDY_KEY_ESCAPE, 0, ret) ? AGAIN : MORE;
    k->len = 0;
    k->alt = true;
    return in_ground(k, c, ret);
}

/* Between ESC [ and the final byte; control characters have no place there. */
static enum outcome in_csi(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    /* rxvt ends with '$' what others would go on from, as answers to questions do. */
    bool final = (c >= 0x40 && c <= 0x7e) || (c == '$' && k->len > 2 && k->held[2] != '?');

    if (k->len == 2 && c == '[' && k->state == CSI)
        return hold(k, c, LINUX);
    if (!final && (c < 0x20 || c > 0x3f)) {
        tell(k, EDDY_KEY_UNKNOWN, 0, ret);
        return AGAIN;
    }
    if (k->state == SKIP || k->len == EDDY_KEYS_HELD) {
        k->state = SKIP;
        if (!final)
            return MORE;
        return tell(k, EDDY_KEY_UNKNOWN, 0, ret) ? KEY : MORE;
    }
    hold(k, c, CSI);
    return final && tell_csi(k, ret) ? KEY : MORE;
}

static enum outcome take(struct eddy_keys *k, unsigned char c, struct eddy_key *ret)
{
    switch ((enum state)k->state) {
    case UTF8: return in_utf8(k, c, ret);
    case ESC: return in_esc(k, c, ret);
    case CSI:
    case SKIP: return in_csi(k, c, ret);
    case LINUX:
        if (c >= 'A' && c <= 'E')
            return tell(k, EDDY_KEY_F1 + (c - 'A'), 0, ret) ? KEY : MORE;
        tell(k, EDDY_KEY_UNKNOWN, 0, ret);
        return c >= 0x20 && c < 0x7f ? KEY : AGAIN;
    case SS3:
        if (c < 0x20 || c > 0x7e) {
            tell(k, EDDY_KEY_UNKNOWN, 0, ret);
            return AGAIN;
        }
        return tell_ss3(k, c, ret) ? KEY : MORE;
    default: return in_ground(k, c, ret);
    }
}

/* --- pastes ----------------------------------------------------------------------------------- */

static bool tell_piece(struct eddy_keys *k, size_t len, struct eddy_key *ret)
{
    *ret = (struct eddy_key){ .code = EDDY_KEY_PASTE, .text = { (const char *)k->paste, len } };
    return true;
}

/* A piece, copied: as the bytes of an end that was none stand in another buffer than the rest. */
static bool decode_paste(struct eddy_keys *k, const char **at, const char *end,
                         struct eddy_key *ret)
{
    size_t len = 0;

    while (*at < end && len + PASTE_END_LEN <= sizeof k->paste) {
        char c = **at;
        if (c == paste_end[k->len]) {
            if (k->len + 1 == PASTE_END_LEN) {
                if (len) /* the piece first; the end is found again behind it */
                    return tell_piece(k, len, ret);
                ++*at;
                return tell(k, EDDY_KEY_PASTE_END, 0, ret);
            }
            k->len++;
            ++*at;
        } else if (k->len) {
            memcpy(k->paste + len, paste_end, k->len);
            len += k->len;
            k->len = 0; /* no part of the end begins it anew but its first byte: looked at again */
        } else {
            k->paste[len++] = (unsigned char)c;
            ++*at;
        }
    }
    return len && tell_piece(k, len, ret);
}

/* --- the calls -------------------------------------------------------------------------------- */

bool eddy_keys_decode(struct eddy_keys *keys, const char **at, const char *end,
                      struct eddy_key *ret_key)
{
    while (*at < end) {
        if (keys->state == PASTE)
            return decode_paste(keys, at, end, ret_key);
        enum outcome o = take(keys, (unsigned char)**at, ret_key);
        if (o != AGAIN)
            ++*at;
        if (o != MORE)
            return true;
    }
    return false;
}

bool eddy_keys_held(const struct eddy_keys *keys)
{
    return keys->state != GROUND && keys->state != PASTE;
}

bool eddy_keys_give_up(struct eddy_keys *keys, struct eddy_key *ret_key)
{
    const bool is_short = keys->len <= 2;

    switch ((enum state)keys->state) {
    case ESC: return tell(keys, EDDY_KEY_ESCAPE, 0, ret_key);
    case UTF8: return tell(keys, REPLACEMENT, 0, ret_key);
    case SS3: keys->alt = true; return tell(keys, 'O', EDDY_KEY_SHIFT, ret_key);
    case CSI:
        keys->alt = keys->alt || is_short;
        return tell(keys, is_short ? '[' : EDDY_KEY_UNKNOWN, 0, ret_key);
    case LINUX:
    case SKIP: return tell(keys, EDDY_KEY_UNKNOWN, 0, ret_key);
    default: return false;
    }
}

/* --- for people ------------------------------------------------------------------------------- */

static const char *name_of(uint32_t code)
{
    static const char *const names[] = { "Up",     "Down",   "Right",   "Left",      "Home",  "End",
                                         "Insert", "Delete", "Page Up", "Page Down", "Center" };

    switch (code) {
    case EDDY_KEY_TAB: return "Tab";
    case EDDY_KEY_ENTER: return "Enter";
    case EDDY_KEY_ESCAPE: return "Escape";
    case EDDY_KEY_BACKSPACE: return "Backspace";
    case ' ': return "Space";
    case EDDY_KEY_PASTE: return "Paste";
    case EDDY_KEY_PASTE_END: return "Paste end";
    case EDDY_KEY_FOCUS_IN: return "Focus in";
    case EDDY_KEY_FOCUS_OUT: return "Focus out";
    case EDDY_KEY_MOUSE: return "Mouse";
    case EDDY_KEY_UNKNOWN: return "Unknown";
    default:
        return code >= EDDY_KEY_UP && code <= EDDY_KEY_CENTER ? names[code - EDDY_KEY_UP] : NULL;
    }
}

const char *eddy_key_text(const struct eddy_key *key, char *buf, size_t cap)
{
    const char *name = name_of(key->code);
    char own[16];

    if (!name && key->code >= EDDY_KEY_F1 && key->code <= EDDY_KEY_F24)
        (void)snprintf(own, sizeof own, "F%u", key->code - EDDY_KEY_F1 + 1);
    else if (!name && key->code > 0x20 && key->code < 0x7f)
        (void)snprintf(own, sizeof own, "%c", (int)key->code);
    else if (!name)
        (void)snprintf(own, sizeof own, "U+%04X", key->code);
    (void)snprintf(buf, cap, "%s%s%s%s%s%s", key->mods & EDDY_KEY_SUPER ? "Super+" : "",
                   key->mods & EDDY_KEY_CTRL ? "Ctrl+" : "", key->mods & EDDY_KEY_ALT ? "Alt+" : "",
                   key->mods & EDDY_KEY_SHIFT ? "Shift+" : "", name ? name : own,
                   key->mods & EDDY_KEY_RELEASE  ? " (released)"
                   : key->mods & EDDY_KEY_REPEAT ? " (repeated)"
                                                 : "");
    return buf;
}

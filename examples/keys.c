/*
 * keys.c - what you type, as the terminal sends it and as eddy reads it
 *
 *     keys        Ctrl-C or Ctrl-D ends it; the mouse, pastes, focus and the window's size are
 *     shown, too
 *
 * The terminal comes back as it was however this ends: try `kill` from another one.
 */
#include <eddy.h>

#include <unistd.h>

struct watch_size_args {
    struct eddy_terminal_size size;
};

static int watch_size(struct watch_size_args *a)
{
    int r;

    while ((r = eddy_terminal_resized(STDIN_FILENO, &a->size)) == 0)
        if ((r = eddy_print("window: %u x %u\n", a->size.columns, a->size.rows)) < 0)
            break;
    return r;
}
EDDY_TASK(watch_size);

static int show(const struct eddy_key *key)
{
    char text[48];

    eddy_key_text(key, text, sizeof text);
    if (key->code == EDDY_KEY_MOUSE)
        return eddy_print("%s: button %u %s at %u, %u\n", text, key->mouse.button,
                          key->mouse.moved ? "moved" : "used", key->mouse.column, key->mouse.row);
    if (key->code == EDDY_KEY_PASTE)
        return eddy_print("%s: %zu bytes\n", text, key->text.len);
    return eddy_print("%s\n", text);
}

static bool is_end(const struct eddy_key *key)
{
    return (key->mods & EDDY_KEY_CTRL) && (key->code == 'c' || key->code == 'd');
}

int main(void)
{
    EDDY_OWN(eddy_terminal) t = NULL;
    struct eddy_terminal_size size;
    struct eddy_error error = { 0 };
    struct eddy_key key;

    int r = eddy_terminal_raw(
        STDIN_FILENO,
        EDDY_OPT(terminal, .mouse = true, .paste = true, .focus = true, .error = &error), &t);
    if (r < 0) {
        eddy_print_error("keys: %s\n", error.text);
        return 1;
    }
    EDDY_SCOPE(beside, .isolate = true);
    if (eddy_terminal_size(STDIN_FILENO, &size) == 0)
        EDDY_GO(&beside, watch_size, .size = size);
    eddy_print("type; Ctrl-C ends it\n");
    while ((r = eddy_keys_next(t, &key)) > 0 && !is_end(&key))
        if ((r = show(&key)) < 0)
            break;
    return r < 0;
}

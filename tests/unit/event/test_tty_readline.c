/*
 * Random keys typed at a real readline in a terminal of its own: what bash then has as the line is what the keys are
 * rendered to. XT_TTY_LINES=N tries more lines.
 */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event/tty_line.h"

#define SHELL  "/bin/bash"
#define SCRIPT "N=0; while IFS= read -e -r -p \"@$N> \" L; do printf '%s\\n' \"$L\" >&7; N=$((N+1)); done"

typedef struct terminal {
    pid_t pid;
    int master, lines; /* the shell's terminal; what it read */
    char shown[4096];  /* what it printed last */
    size_t n_shown;
} terminal;

static void open_terminal(terminal *t)
{
    const char *const envp[] = {"TERM=xterm", "LC_ALL=C.UTF-8", "INPUTRC=/dev/null", "HISTFILE=/dev/null", NULL};
    struct winsize size = {.ws_row = 50, .ws_col = 1000};
    int fds[2];
    *t = (terminal){0};
    assert_int_equal(pipe(fds), 0);
    t->pid = forkpty(&t->master, NULL, NULL, &size);
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        dup2(fds[1], 7);
        execle(SHELL, "bash", "--norc", "--noprofile", "-c", SCRIPT, NULL, envp);
        _exit(127);
    }
    close(fds[1]);
    t->lines = fds[0];
}

static void close_terminal(terminal *t)
{
    close(t->master);
    close(t->lines);
    kill(t->pid, SIGKILL);
    waitpid(t->pid, NULL, 0);
}

/* Keeps what was printed last; older text makes room. */
static void read_shown(terminal *t)
{
    if (t->n_shown > sizeof t->shown / 2) {
        memmove(t->shown, t->shown + t->n_shown - 64, 64);
        t->n_shown = 64;
    }
    ssize_t n = read(t->master, t->shown + t->n_shown, sizeof t->shown / 2 - 1);
    assert_true(n > 0);
    t->n_shown += (size_t)n;
}

/* Until a line was read (line != NULL) or the prompt of that number is there. */
static void wait_for(terminal *t, unsigned number, char *line, size_t cap)
{
    char prompt[32];
    size_t n_line = 0;
    snprintf(prompt, sizeof prompt, "@%u> ", number);
    while (line || xt_slice_find(xt_slice_of(t->shown, t->n_shown), xt_slice_str(prompt)) < 0) {
        struct pollfd fds[] = {{.fd = t->master, .events = POLLIN}, {.fd = line ? t->lines : -1, .events = POLLIN}};
        if (poll(fds, 2, 20000) <= 0)
            fail_msg("bash does not answer");
        if (fds[0].revents)
            read_shown(t);
        if (!fds[1].revents)
            continue;
        ssize_t n = read(t->lines, line + n_line, cap - n_line);
        assert_true(n > 0);
        n_line += (size_t)n;
        if (line[n_line - 1] == '\n') {
            line[n_line - 1] = '\0';
            return;
        }
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/*
 * An edit, or a character and ^L, which changes nothing: keys that wait to be read when a character is inserted make
 * readline take the kills on both sides of it for one, as never happens at the speed of a person.
 */
static const char *pick(uint32_t *seed, const xt_tty_line *line)
{
    static const char *const edits[] = {
        "\x7f",
        "\b",
        "\x01",
        "\x05",
        "\x02",
        "\x06",
        "\x0b",
        "\x15",
        "\x17",
        "\x14",
        "\x0c",
        "\x1b[D",
        "\x1b[C",
        "\x1bOD",
        "\x1bOC",
        "\x1b[H",
        "\x1b[F",
        "\x1b[3~",
        "\x1b"
        "b",
        "\x1b"
        "f",
        "\x1b"
        "d",
        "\x1b\x7f",
        "\x19",
        "\x04",
        "\x1b[200~b c\x1b[201~\x0c",
    };
    static const char *const texts[] = {
        "a\x0c", "b\x0c", "C\x0c", "7\x0c",  "_\x0c",    "-\x0c",        "/\x0c",
        ".\x0c", " \x0c", " \x0c", "$x\x0c", "word\x0c", "\xc3\xa9\x0c", "\xe2\x82\xac\x0c",
    };
    const char *key = texts[next_random(seed) % XT_COUNT_OF(texts)];
    if (next_random(seed) % 2)
        key = edits[next_random(seed) % XT_COUNT_OF(edits)];
    /* ends the input of an empty line; would bring what was killed before this test looked */
    if ((*key == '\x04' && line->cells.n == 0) || (*key == '\x19' && line->killed.n == 0))
        key = "x\x0c";
    return key;
}

static void type(xt_tty_line *line, const char *key)
{
    xt_key_reader reader = {0};
    for (; *key; key++) {
        uint32_t keys[XT_KEY_MAX];
        unsigned n = xt_key_read(&reader, (uint8_t)*key, keys);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(xt_tty_line_key(line, keys[k]), 0);
    }
}

static void check_line(terminal *t, unsigned number, uint32_t *seed, xt_tty_line *line)
{
    char is[4096];
    xt_buf typed = XT_BUF_INIT, wanted = XT_BUF_INIT, shown = XT_BUF_INIT;
    wait_for(t, number, NULL, 0);
    for (unsigned i = next_random(seed) % 60; i > 0; i--) {
        const char *key = pick(seed, line);
        type(line, key);
        xt_buf_puts(&typed, key);
    }
    xt_buf_putc(&typed, '\r');
    assert_int_equal(write(t->master, typed.p, typed.n), typed.n);
    wait_for(t, 0, is, sizeof is);
    assert_true(xt_tty_line_put(line, 0, &wanted));
    xt_buf_put_hex(&shown, xt_buf_slice(&typed));
    if (!xt_slice_eq(xt_slice_str(is), xt_buf_slice(&wanted)))
        fail_msg("line %u: typed %.*s, bash has \"%s\", rendered \"%.*s\"", number, XT_S_ARGS(xt_buf_slice(&shown)), is,
                 XT_S_ARGS(xt_buf_slice(&wanted)));
    xt_tty_line_reset(line);
    xt_buf_fini(&typed);
    xt_buf_fini(&wanted);
    xt_buf_fini(&shown);
}

static void test_readline(void **state)
{
    const char *more = getenv("XT_TTY_LINES");
    unsigned n = more ? (unsigned)strtoul(more, NULL, 10) : 300;
    uint32_t seed = 1;
    terminal t;
    xt_tty_line line;
    if (access(SHELL, X_OK) != 0)
        skip();
    open_terminal(&t);
    xt_tty_line_init(&line, true);
    for (unsigned i = 0; i < n; i++)
        check_line(&t, i, &seed, &line);
    xt_tty_line_fini(&line);
    close_terminal(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

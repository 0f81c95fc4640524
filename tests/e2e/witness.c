/*
 * A program that tells what it received: appends one JSON line to the file named by the environment variable WITNESS
 * (else /tmp/witness.jsonl): pid, ppid, uid, euid, auid, ses, cwd, and every argument in hex. One write(2) a line, so that many
 * can write at once. Ends with the code of WITNESS_EXIT.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *out;
static size_t n_out, cap_out;

static void put(const char *s, size_t n)
{
    if (n_out + n > cap_out) {
        cap_out = (n_out + n) * 2 + 4096;
        out = realloc(out, cap_out);
        if (!out)
            _exit(99);
    }
    memcpy(out + n_out, s, n);
    n_out += n;
}

static void put_text(const char *s)
{
    put(s, strlen(s));
}

static void put_number(const char *name, long long v)
{
    char text[64];
    snprintf(text, sizeof text, "\"%s\":%lld,", name, v);
    put_text(text);
}

static void put_hex(const char *s)
{
    static const char digits[] = "0123456789abcdef";
    put("\"", 1);
    for (; *s; s++) {
        char two[2] = {digits[(unsigned char)*s >> 4], digits[(unsigned char)*s & 15]};
        put(two, 2);
    }
    put("\"", 1);
}

static long long read_number(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtoll(text, NULL, 10) : -1;
}

int main(int argc, char **argv)
{
    char cwd[4096];
    const char *path = getenv("WITNESS");
    const char *code = getenv("WITNESS_EXIT");
    put("{", 1);
    put_number("pid", getpid());
    put_number("ppid", getppid());
    put_number("uid", getuid());
    put_number("euid", geteuid());
    put_number("auid", read_number("/proc/self/loginuid"));
    put_number("ses", read_number("/proc/self/sessionid"));
    put_number("bits", (long long)sizeof(void *) * 8);
    put_text("\"cwd\":");
    put_hex(getcwd(cwd, sizeof cwd) ? cwd : "?");
    put_text(",\"args\":[");
    for (int i = 0; i < argc; i++) {
        if (i)
            put(",", 1);
        put_hex(argv[i]);
    }
    put_text("]}\n");
    int fd = open(path ? path : "/tmp/witness.jsonl", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, out, n_out) != (ssize_t)n_out) {
        fprintf(stderr, "witness: %s: %s\n", path ? path : "/tmp/witness.jsonl", strerror(errno));
        return 98;
    }
    return code ? (int)strtol(code, NULL, 10) : 0;
}

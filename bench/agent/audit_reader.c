/*
 * bench-audit-reader: owns the audit socket and only receives and counts: the least that any collector must do.
 *
 * usage: bench-audit-reader WORD
 * Prints "ready", and at the end of its standard input the EXECVE records that hold WORD, all EXECVE records and all
 * records. Rules, backlog and switch are the caller's.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH        64
#define SLOT_BYTES   9216
#define BUFFER_BYTES (32 << 20)

typedef struct counts {
    unsigned long long marked, execs, records;
} counts;

static struct mmsghdr headers[BATCH];
static struct iovec vectors[BATCH];
static union slot {
    struct nlmsghdr header;
    char bytes[SLOT_BYTES];
} slots[BATCH];

static int own(int fd, unsigned pid)
{
    struct {
        struct nlmsghdr header;
        struct audit_status status;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = AUDIT_SET, .nlmsg_flags = NLM_F_REQUEST},
        .status = {.mask = AUDIT_STATUS_PID, .pid = pid},
    };
    return send(fd, &request, sizeof request, 0) < 0 ? -errno : 0;
}

/* Takes what is there; how many messages that were. */
static int drain(int fd, const char *marker, counts *c)
{
    int n = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        unsigned type = slots[i].header.nlmsg_type, length = headers[i].msg_len;
        if (type < AUDIT_FIRST_USER_MSG || length < NLMSG_HDRLEN)
            continue;
        c->records++;
        if (type != AUDIT_EXECVE)
            continue;
        c->execs++;
        c->marked += memmem(slots[i].bytes, length, marker, strlen(marker)) != NULL;
    }
    return n;
}

static void loop(int fd, const char *marker, counts *c)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        while (drain(fd, marker, c) > 0) {
        }
        if (fds[1].revents)
            return;
    }
}

int main(int argc, char **argv)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT), bytes = BUFFER_BYTES, on = 1;
    counts c = {0};
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){slots[i].bytes, SLOT_BYTES};
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    if (argc != 2 || fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0 || own(fd, (unsigned)getpid()) < 0) {
        perror("bench-audit-reader");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    loop(fd, argv[1], &c);
    (void)own(fd, 0);
    printf("%llu %llu %llu\n", c.marked, c.execs, c.records);
    return 0;
}

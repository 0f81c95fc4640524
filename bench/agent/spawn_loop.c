/*
 * bench-spawn: executes a program with six arguments many times by posix_spawn and waits for each.
 *
 * usage: MARKER=WORD bench-spawn PROGRAM EXECS RATE PROCESSES [SECONDS]
 * EXECS in all, by PROCESSES at once; RATE a second in all, 0: as fast as it goes; with SECONDS it ends after these even
 * if EXECS are not done. The first argument is WORD, the second the number; WORD is not an argument of its own, so
 * that it can be counted by it. Prints as JSON how many were executed, how
 * long that took, its own CPU and that of the programs, and how long one took from posix_spawn to its end.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct job {
    const char *program, *marker;
    unsigned n, rate, n_processes, seconds;
    unsigned *took_us; /* of each exec, shared; 0: not executed */
    long long begin_us;
} job;

static long long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void wait_until(long long us)
{
    const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

static void execute(const job *j, unsigned i)
{
    char number[16], program[256], marker[64], a3[] = "--with", a4[] = "some of", a5[] = "them/being/longer.txt";
    char *argv[] = {program, marker, number, a3, a4, a5, NULL}, *environment[] = {NULL};
    snprintf(number, sizeof number, "%u", i);
    snprintf(program, sizeof program, "%s", j->program);
    snprintf(marker, sizeof marker, "%s", j->marker);
    long long begin_us = now_us();
    pid_t pid;
    if (posix_spawn(&pid, program, NULL, NULL, argv, environment) != 0)
        return;
    waitpid(pid, NULL, 0);
    long long took_us = now_us() - begin_us;
    j->took_us[i] = took_us > 0 ? (unsigned)took_us : 1;
}

static void run(const job *j, unsigned first)
{
    for (unsigned i = first; i < j->n; i += j->n_processes) {
        if (j->rate > 0)
            wait_until(j->begin_us + (long long)i * 1000000 / j->rate);
        if (j->seconds > 0 && now_us() - j->begin_us > j->seconds * 1000000LL)
            return;
        execute(j, i);
    }
}

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static void report(const job *j, long long wall_us)
{
    struct rusage usage;
    unsigned n = 0;
    for (unsigned i = 0; i < j->n; i++)
        if (j->took_us[i] > 0)
            j->took_us[n++] = j->took_us[i];
    qsort(j->took_us, n, sizeof *j->took_us, compare);
    getrusage(RUSAGE_CHILDREN, &usage);
    double cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)usage.ru_utime.tv_usec +
                    (double)usage.ru_stime.tv_usec;
    printf("{\"execs\": %u, \"wall_s\": %.3f, \"cpu_us\": %.1f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n", n,
           (double)wall_us / 1e6, n ? cpu_us / n : 0.0, n ? j->took_us[n / 2] : 0, n ? j->took_us[n - 1 - n / 100] : 0,
           n ? j->took_us[n - 1] : 0);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    job j = {.program = argv[1], .marker = getenv("MARKER"), .n = (unsigned)strtoul(argv[2], NULL, 10)};
    j.rate = (unsigned)strtoul(argv[3], NULL, 10);
    j.n_processes = (unsigned)strtoul(argv[4], NULL, 10);
    j.seconds = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
    if (!j.marker || j.n == 0 || j.n_processes == 0)
        return 2;
    j.took_us = mmap(NULL, j.n * sizeof *j.took_us, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (j.took_us == MAP_FAILED)
        return 1;
    j.begin_us = now_us();
    for (unsigned i = 0; i < j.n_processes; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            run(&j, i);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    report(&j, now_us() - j.begin_us);
    return 0;
}

/* Runs commands in turn, many rounds, and tells when each began and ended.
 *
 *     timeit LIMIT_S ROUNDS (--time | --quiet) COMMAND [ARG]... [(--time | --quiet) COMMAND ...]
 *
 * Commands after --time are measured, those after --quiet only run (to clean up between). Taking turns within a round
 * spreads whatever else the machine does evenly over all of them. A "{}" in an argument becomes the number of the round.
 * Prints a line "INDEX ROUND BEGIN_NS END_NS STATUS" per measured run; times are CLOCK_MONOTONIC, so that a measured
 * program can be compared with them. posix_spawn makes no copy of this process: what is left is the command's own cost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define ARGS_MAX 256

extern char **environ;

struct command {
    int is_timed;
    char **argv;
    char *filled[ARGS_MAX];
};

static struct command commands[COMMANDS_MAX];
static int commands_len;
static volatile pid_t running;

static void out_of_time(int signal_number) {
    (void)signal_number;
    if (running > 0) kill(running, SIGKILL);
    static const char text[] = "timeit: out of time\n";
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(3);
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void parse(int argc, char **argv) {
    for (int i = 3; i < argc; i++) {
        int is_timed = strcmp(argv[i], "--time") == 0;
        if (!is_timed && strcmp(argv[i], "--quiet") != 0) continue;
        if (commands_len == COMMANDS_MAX || i + 1 == argc) {
            fprintf(stderr, "timeit: bad commands\n");
            exit(2);
        }
        argv[i] = NULL;
        commands[commands_len].is_timed = is_timed;
        commands[commands_len++].argv = &argv[i + 1];
    }
}

/* The arguments with every "{}" replaced. */
static char **filled(struct command *command, const char *round) {
    int n = 0;
    for (; command->argv[n] != NULL && n < ARGS_MAX - 1; n++) {
        char *hole = strstr(command->argv[n], "{}");
        if (hole == NULL) {
            command->filled[n] = command->argv[n];
            continue;
        }
        free(command->filled[n]);
        int before = (int)(hole - command->argv[n]);
        if (asprintf(&command->filled[n], "%.*s%s%s", before, command->argv[n], round, hole + 2) < 0) fail("asprintf");
    }
    command->filled[n] = NULL;
    return command->filled;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: timeit LIMIT_S ROUNDS --time COMMAND [ARG]...\n");
        return 2;
    }
    int rounds = atoi(argv[2]);
    parse(argc, argv);
    signal(SIGALRM, out_of_time);
    alarm((unsigned)atoi(argv[1]));
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    for (int round = 0; round < rounds; round++) {
        char number[16];
        snprintf(number, sizeof number, "%d", round);
        for (int i = 0; i < commands_len; i++) {
            char **args = filled(&commands[i], number);
            pid_t pid;
            int status = 0;
            uint64_t begin = now_ns();
            if (posix_spawnp(&pid, args[0], &quiet, NULL, args, environ) != 0) fail(args[0]);
            running = pid;
            if (waitpid(pid, &status, 0) != pid) fail("waitpid");
            uint64_t end = now_ns();
            running = 0;
            int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            if (commands[i].is_timed) {
                printf("%d %d %llu %llu %d\n", i, round, (unsigned long long)begin, (unsigned long long)end, code);
            } else if (code != 0) {
                fprintf(stderr, "timeit: %s ended with %d\n", args[0], code);
                return 2;
            }
        }
    }
    return 0;
}

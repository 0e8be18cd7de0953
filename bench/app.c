/* The program that is managed while measuring.
 *
 *     app wait                    sleep until a signal ends it
 *     app ready MS                after MS milliseconds say so on NOTIFY_SOCKET, then sleep
 *     app grow BYTES              at SIGUSR1 touch so many bytes of memory
 *     app flood BYTES CHUNK [MS]  MS milliseconds later write BYTES to standard output, CHUNK at a time, wait until they
 *                                 were read, then sleep
 *
 * At its start it appends "start NAME PID NS" to the file in BENCH_STAMPS, when everything is read "done NAME PID NS";
 * times are CLOCK_MONOTONIC.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 100

static void stamp(const char *word, const char *name) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const char *path = getenv("BENCH_STAMPS");
    if (path == NULL) return;
    char line[256];
    unsigned long long ns = (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
    int length = snprintf(line, sizeof line, "%s %s %d %llu\n", word, name, (int)getpid(), ns);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)length) != length) exit(1);
    close(fd);
}

/* Bytes that nobody has read yet. */
static int unread(void) {
    struct stat kind;
    int bytes = 0;
    if (fstat(1, &kind) != 0) return 0;
    if (S_ISFIFO(kind.st_mode)) ioctl(1, FIONREAD, &bytes);
    if (S_ISSOCK(kind.st_mode)) ioctl(1, SIOCOUTQ, &bytes);
    return bytes;
}

static void flood(uint64_t bytes, size_t chunk) {
    /* Whole lines, and one chunk more, so that a chunk can begin anywhere in a line. */
    size_t size = LINE_BYTES + chunk;
    char *text = malloc(size);
    if (text == NULL) exit(1);
    for (size_t i = 0; i < size; i++) text[i] = i % LINE_BYTES == LINE_BYTES - 1 ? '\n' : (char)('a' + i % LINE_BYTES % 26);
    for (uint64_t sent = 0; sent < bytes;) {
        size_t want = bytes - sent < chunk ? (size_t)(bytes - sent) : chunk;
        ssize_t n = write(1, text + sent % LINE_BYTES, want);
        if (n <= 0) exit(1);
        sent += (uint64_t)n;
    }
    while (unread() > 0) usleep(200);
}

static void say_ready(unsigned milliseconds) {
    usleep(milliseconds * 1000);
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof to.sun_path) exit(1);
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to, sizeof to) != 7) exit(1);
    close(fd);
}

static size_t growth;

static void grow(int number) {
    (void)number;
    volatile char *memory = malloc(growth);
    for (size_t i = 0; memory != NULL && i < growth; i += 4096) memory[i] = 1;
}

int main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    stamp("start", name);
    if (argc == 3 && strcmp(argv[1], "ready") == 0) say_ready((unsigned)atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "grow") == 0) {
        growth = (size_t)strtoull(argv[2], NULL, 10);
        signal(SIGUSR1, grow);
    }
    if (argc >= 4 && strcmp(argv[1], "flood") == 0) {
        if (argc == 5) usleep((unsigned)atoi(argv[4]) * 1000);
        flood(strtoull(argv[2], NULL, 10), (size_t)strtoull(argv[3], NULL, 10));
        stamp("done", name);
    }
    for (;;) pause();
}

/* velos_core.h - the contract between the Zig mechanism and the Rust policy.
 *
 * This file is written by hand and is the authority. zig/src/abi.zig compares every field of every
 * struct with it at compile time; crates/velos-ffi compares its own mirror with the layout manifest
 * that the library exports. Change this file first: both sides refuse to build until they agree.
 *
 * Rules that hold for every call
 *   Errors    0 or a count on success, -errno on failure. No errno variable, no strings.
 *   Threads   one: every call but velos_reactor_wake comes from the thread that created the reactor.
 *             The library runs one writer thread of its own; it owns every regular file.
 *   Memory    in-parameters are borrowed for the call. Event data is borrowed until the next
 *             velos_reactor_wait. Nobody frees the other side's memory.
 *   Identity  tokens, chosen by the caller, never reused. A stale token is -ESRCH. A pid is accepted
 *             only together with its start time.
 *   Growth    in-structs begin with `size`; new fields go to the end and zero means the old behaviour.
 *             New event kinds are appended; a receiver ignores and counts kinds it does not know.
 *   Panics    nothing unwinds across: a broken promise inside the library prints one line and aborts.
 */
#ifndef VELOS_CORE_H
#define VELOS_CORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VELOS_ABI_VERSION 1u

/* No deadline for velos_reactor_wait. */
#define VELOS_FOREVER UINT64_MAX

/* ---- events --------------------------------------------------------------------------------- */

/* VelosEvent.kind. Which fields carry meaning is said per kind; all others are zero (fd: -1). */
#define VELOS_EVENT_EXITED 1u          /* token: spawn attempt. code: exit code or signal (flags). value: cpu time in us
                                          (rusage user+system). more: largest resident memory, bytes
                                          (both 0 when not known). data/len: none. Sent after the output that was in the
                                          FIFOs is on its way to the log, or 25 ms after the exit, whichever is first. */
#define VELOS_EVENT_TREE_EMPTY 2u      /* token: spawn attempt. Nothing of its tree is alive any more (see velos_tree_watch). */
#define VELOS_EVENT_CAPTURE_OPENED 3u  /* token: capture. code: 0 or -errno. The FIFOs exist, velos_spawn may name the capture. */
#define VELOS_EVENT_CAPTURE_FAILED 4u  /* token: capture. code: -errno of the first failed write. Bytes are being held or dropped. */
#define VELOS_EVENT_CAPTURE_RECOVERED 5u /* token: capture. value: lines dropped since CAPTURE_FAILED. */
#define VELOS_EVENT_ROTATED 6u         /* token: capture. value: sequence number of the closed segment. flags: stream. */
#define VELOS_EVENT_IPC_OPENED 7u      /* token: client (chosen by the library). code: peer uid. value: peer pid. */
#define VELOS_EVENT_IPC_FRAME 8u       /* token: client. data/len: one whole payload, without the length prefix. */
#define VELOS_EVENT_IPC_CLOSED 9u      /* token: client. code: 0 orderly, else -errno (-EPROTO bad frame, -ETIMEDOUT half a frame
                                          for too long, -ENOBUFS it did not read). No further event for this token. */
#define VELOS_EVENT_IPC_DRAINED 10u    /* token: client. The send queue, once refused with -ENOBUFS, is empty again. */
#define VELOS_EVENT_FILE_DONE 11u      /* token: as given to velos_file_*. code: 0 or -errno. */
#define VELOS_EVENT_SIGNAL 12u         /* code: signal number. value: sender's pid or 0. */
#define VELOS_EVENT_WOKEN 13u          /* velos_reactor_wake was called. */
#define VELOS_EVENT_FD_READY 14u       /* token: the tag of velos_fd_watch. There is something to read, or the other end is gone. */

/* VelosEvent.flags */
#define VELOS_EXIT_SIGNALED 0x1u       /* code is a signal, not an exit code */
#define VELOS_EXIT_CORE 0x2u           /* a core was dumped */
#define VELOS_EXIT_UNKNOWN 0x4u        /* adopted process: the status could not be had; code is 0 */
#define VELOS_EXIT_LEFTOVERS 0x8u      /* something of its tree is alive */
#define VELOS_STREAM_STDOUT 0x10u
#define VELOS_STREAM_STDERR 0x20u
#define VELOS_STREAM_STDIN 0x40u

typedef struct VelosEvent {
    uint32_t kind;
    uint32_t flags;
    uint64_t token;
    uint64_t at_ns;      /* CLOCK_MONOTONIC, read once per batch */
    int32_t code;
    int32_t fd;          /* -1, or a descriptor that now belongs to the receiver */
    const uint8_t *data; /* borrowed until the next velos_reactor_wait */
    uint64_t len;
    uint64_t value;
    uint64_t more;
} VelosEvent;

/* ---- reactor -------------------------------------------------------------------------------- */

typedef struct VelosReactor VelosReactor;

typedef struct VelosReactorOptions {
    uint32_t size;                   /* sizeof(VelosReactorOptions) */
    uint32_t processes_max;          /* live spawn attempts; 0 = 4096 */
    uint32_t captures_max;           /* open captures; 0 = 4096 */
    uint32_t clients_max;            /* connected IPC clients; 0 = 1200. One more is accepted and closed. */
    uint32_t frame_bytes_max;        /* payload of one frame; 0 = 16 MiB */
    uint32_t ipc_bytes_max;          /* buffers of all clients together, besides one frame being received; 0 = 4 MiB */
    uint32_t client_queue_bytes_max; /* unsent bytes of one client; 0 = 2 MiB */
    uint32_t frame_timeout_ms;       /* a started frame must be whole by then; 0 = 10000 */
    uint32_t write_stall_ms;         /* a write that hangs or fails this long makes capture drop; 0 = 5000 */
    uint32_t index_interval_ms;      /* an open index record is closed after this; 0 = 250 */
    uint32_t partial_line_ms;        /* a line without newline is written after this; 0 = 1000 */
    uint32_t sync_interval_ms;       /* fdatasync of dirty logs at most this often; 0 = 5000 */
    uint64_t signals;                /* bit (n-1) set: signal n is blocked and arrives as VELOS_EVENT_SIGNAL */
} VelosReactorOptions;

uint32_t velos_abi_version(void);
/* The layout of every struct here as lines "Struct.field offset size\n", and "Struct - 0 size\n". Static, NUL-terminated. */
const char *velos_abi_layout(void);

/* Create the reactor and its writer thread. On success *out is owned by the caller. -ENOMEM, -EMFILE, -EINVAL. */
int32_t velos_reactor_create(const VelosReactorOptions *options, VelosReactor **out);
/* Write what is queued (for at most write_stall_ms), stop the writer thread, close what the reactor owns.
 * Processes keep running. Descriptors given in by the caller stay open. */
void velos_reactor_destroy(VelosReactor *reactor);
/* Wait until something happened or CLOCK_MONOTONIC passes deadline_ns; fills at most `capacity` events, returns their number. */
int32_t velos_reactor_wait(VelosReactor *reactor, uint64_t deadline_ns, VelosEvent *out, uint32_t capacity);
/* The one thread-safe call, also async-signal-safe. */
int32_t velos_reactor_wake(VelosReactor *reactor);
/* CLOCK_MONOTONIC now, in ns. */
uint64_t velos_now_ns(void);

/* ---- processes ------------------------------------------------------------------------------ */

/* Which step of a spawn failed (VelosSpawned.stage). */
#define VELOS_STAGE_NONE 0u
#define VELOS_STAGE_FORK 1u
#define VELOS_STAGE_SESSION 2u
#define VELOS_STAGE_FDS 3u
#define VELOS_STAGE_RLIMIT 4u
#define VELOS_STAGE_GROUPS 5u
#define VELOS_STAGE_GID 6u
#define VELOS_STAGE_UID 7u
#define VELOS_STAGE_CWD 8u
#define VELOS_STAGE_EXEC 9u
#define VELOS_STAGE_CAPTURE 10u

typedef struct VelosRlimit {
    int32_t resource; /* RLIMIT_* of this platform */
    int32_t reserved;
    uint64_t soft;
    uint64_t hard;
} VelosRlimit;

#define VELOS_SPAWN_HAS_UID 0x1u
#define VELOS_SPAWN_HAS_GID 0x2u
#define VELOS_SPAWN_HAS_GROUPS 0x4u
#define VELOS_SPAWN_HAS_UMASK 0x8u
#define VELOS_SPAWN_HAS_NICE 0x10u
#define VELOS_SPAWN_NO_NEW_PRIVS 0x20u
#define VELOS_SPAWN_CGROUP 0x40u /* in a cgroup of its own, where velos_cgroups named a place for them */

typedef struct VelosSpawnSpec {
    uint32_t size;  /* sizeof(VelosSpawnSpec) */
    uint32_t flags; /* VELOS_SPAWN_* */
    const char *path;          /* absolute path handed to execve */
    const char *const *argv;   /* NULL-terminated, argv[0] included */
    const char *const *envp;   /* NULL-terminated */
    const char *cwd;           /* NULL: the daemon's */
    uint64_t capture;          /* token of an opened capture for fds 0 to 2; 0: all of them are /dev/null */
    const VelosRlimit *rlimits;
    const uint32_t *groups;
    uint32_t rlimits_len;
    uint32_t groups_len;
    uint32_t uid;
    uint32_t gid;
    uint32_t umask;
    int32_t nice;
    int32_t channel; /* becomes descriptor 3 of the program; -1: it gets none */
    int32_t reserved;
} VelosSpawnSpec;

typedef struct VelosSpawned {
    int32_t pid;
    uint32_t stage;       /* on failure: the step that failed */
    uint64_t start_ticks; /* start time as the kernel tells it; with pid and boot id the identity of the process */
} VelosSpawned;

/* Start a program in a session of its own. Returns 0 once execve succeeded, or -errno with out->stage set
 * (then no process is left). -ENOBUFS: processes_max reached. */
int32_t velos_spawn(VelosReactor *reactor, uint64_t token, const VelosSpawnSpec *spec, VelosSpawned *out);
/* Where runs get cgroups of their own, one folder each, named by its token: a folder of a cgroup v2 hierarchy, whose
 * descriptor passes in; -1: nowhere. A folder that is there already is taken, and is removed when its run is forgotten.
 * A run that cannot be put into its own is started without (then there is no folder). -ENOSYS: this platform has none. */
int32_t velos_cgroups(VelosReactor *reactor, int32_t fd);

/* Take over a process that was started by an earlier daemon (a child of this process or not).
 * `capture` as in VelosSpawnSpec: drained before EXITED is sent. -ESRCH: gone, or another process has the pid. */
int32_t velos_adopt(VelosReactor *reactor, uint64_t token, int32_t pid, uint64_t start_ticks, uint64_t capture);

#define VELOS_SCOPE_PROCESS 0u
#define VELOS_SCOPE_GROUP 1u
#define VELOS_SCOPE_TREE 2u /* descendants, group, session, strays that carry VELOS_RUN=<token> in their environment, and all in
                             * the cgroup of the run */

/* Signal a process, also after its EXITED as long as velos_process_forget was not called (scope GROUP or TREE: what
 * it left behind). TREE sends SIGCONT after SIGTERM so that a stopped process can act on it. Returns how many
 * processes were signalled (PROCESS, GROUP: 1), -ESRCH when there was none. */
int32_t velos_signal(VelosReactor *reactor, uint64_t token, int32_t signo, uint32_t scope);
/* Watch what EXITED left behind: TREE_EMPTY follows when nothing of the tree is alive (at once if that is so already). */
int32_t velos_tree_watch(VelosReactor *reactor, uint64_t token);
/* The token will not be used again. Only after EXITED. */
int32_t velos_process_forget(VelosReactor *reactor, uint64_t token);

typedef struct VelosSample {
    int32_t pid;          /* in */
    int32_t error;        /* out: 0 or -errno */
    uint64_t start_ticks; /* in: 0 = do not check; a mismatch is -ESRCH */
    uint64_t cpu_ns;      /* out: user + system of the process and its living descendants, plus reaped children */
    uint64_t rss_bytes;   /* out: resident set, summed over the tree */
    uint32_t processes;   /* out: size of the tree */
    uint32_t threads;     /* out: summed over the tree */
} VelosSample;

/* One reading per entry. Returns count. */
int32_t velos_sample(VelosSample *samples, uint32_t count);

/* ---- capture -------------------------------------------------------------------------------- */

typedef struct VelosCaptureSpec {
    uint32_t size; /* sizeof(VelosCaptureSpec) */
    int32_t out_fd;             /* FIFO kept from an earlier daemon, ownership passes in; -1: open or create by path */
    int32_t err_fd;
    int32_t in_fd;
    uint32_t keep;              /* rotated segments kept besides the live file */
    uint32_t reserved;          /* 0 */
    const char *out_fifo;       /* paths of the FIFOs; what is not there gets no name where it needs none (Linux) */
    const char *err_fifo;
    const char *in_fifo;        /* FIFO for fd 0, made like the others; NULL: fd 0 is /dev/null */
    const char *out_log;        /* NULL: read and thrown away. Captures that name the same file share it. */
    const char *err_log;
    const char *both_log;       /* gets both streams too; NULL: none */
    const char *stamp;          /* PM2's form of a time, written before each line; NULL: none */
    const char *name;           /* JSON text of the app's name, without quotes; needed with `json` */
    uint64_t id;                /* number of the instance, in JSON */
    uint64_t json;              /* not 0: each line is stored as a JSON object */
    uint64_t max_bytes;         /* rotate a live file that reaches this; 0: never */
} VelosCaptureSpec;

typedef struct VelosCaptureStats {
    uint64_t bytes;          /* written since the capture was opened */
    uint64_t lines;
    uint64_t dropped_lines;
    uint64_t dropped_bytes;
    int32_t error;           /* -errno of the write that fails right now, or 0 */
    uint32_t segment;        /* sequence number of the live segment */
    uint64_t offset;         /* bytes in the live segment, whoever wrote them */
} VelosCaptureStats;

/* Make the FIFOs and log files of one instance; they serve all its runs. Answered by CAPTURE_OPENED. */
int32_t velos_capture_open(VelosReactor *reactor, uint64_t token, const VelosCaptureSpec *spec);
/* The descriptor of one FIFO (stream: VELOS_STREAM_*), for an inheriting process; it stays the library's. Or -errno;
 * -ENOENT: it has no input. */
int32_t velos_capture_fd(VelosReactor *reactor, uint64_t token, uint32_t stream);
/* Start new segments now; a log without a byte stays as it is. FILE_DONE with `request` when done, behind the ROTATED of each. */
int32_t velos_capture_rotate(VelosReactor *reactor, uint64_t token, uint64_t request);
/* Empty the logs: rotated segments removed, live files and index truncated. FILE_DONE with `request` when done. */
int32_t velos_capture_flush(VelosReactor *reactor, uint64_t token, uint64_t request);
/* Drain, close, remove the FIFOs. Logs stay. */
int32_t velos_capture_close(VelosReactor *reactor, uint64_t token);
int32_t velos_capture_stats(VelosReactor *reactor, uint64_t token, uint32_t stream, VelosCaptureStats *out);

/* ---- files of the daemon, by the writer thread ------------------------------------------------ */

#define VELOS_FILE_DURABLE 0x1u   /* fsync file and folder */
#define VELOS_FILE_KEEP_OLDER 0x2u /* after a durable write, the same content is also kept as PATH.1 (by hard link) */
#define VELOS_FILE_SPARE 0x4u     /* PATH.tmp stays, with the content before, and is written over the next time */

/* Replace PATH as a whole: PATH.tmp, (fsync), rename, (fsync folder). Mode 0600. token 0: no FILE_DONE.
 * The data is copied. -ENOBUFS: too much is queued. */
int32_t velos_file_put(VelosReactor *reactor, uint64_t token, const char *path, const uint8_t *data, uint64_t len, uint32_t flags);
/* Append to PATH (0600); when it would pass max_bytes, PATH is renamed to PATH.1 first. max_bytes 0: never. */
int32_t velos_file_append(VelosReactor *reactor, const char *path, const uint8_t *data, uint64_t len, uint64_t max_bytes);
int32_t velos_file_remove(VelosReactor *reactor, const char *path);
/* How long the operation that the writer thread is busy with has lasted, in ns; 0 when it is idle. */
uint64_t velos_writer_stall_ns(VelosReactor *reactor);

/* ---- other descriptors ---------------------------------------------------------------------- */

/* Tell with FD_READY, again and again, while there is something to read on a descriptor of the caller's that does not
 * wait. An event that is on its way when the descriptor is forgotten still comes. */
int32_t velos_fd_watch(VelosReactor *reactor, int32_t fd, uint32_t tag);
void velos_fd_forget(VelosReactor *reactor, int32_t fd);

/* ---- memory --------------------------------------------------------------------------------- */

/* Give back memory that is not in use: freed heap, and pages of the program itself, which come back from the page cache
 * when they are needed. For a process that is about to sleep for long. */
void velos_rest(void);

/* ---- IPC ------------------------------------------------------------------------------------ */

/* Accept clients on a listening Unix socket; the descriptor stays the caller's. Peers whose uid is neither ours nor 0 are closed. */
int32_t velos_ipc_listen(VelosReactor *reactor, int32_t fd);
/* Queue one frame (the length prefix is added). -ENOBUFS: the queue is full, nothing was queued. -ESRCH: gone. */
int32_t velos_ipc_send(VelosReactor *reactor, uint64_t client, const uint8_t *data, uint64_t len);
/* The same for what is better left out than late: -ENOBUFS when anything waits to be read; IPC_DRAINED follows. */
int32_t velos_ipc_offer(VelosReactor *reactor, uint64_t client, const uint8_t *data, uint64_t len);
/* Close after what is queued was sent (flush != 0, at most frame_timeout_ms) or at once. IPC_CLOSED follows. */
int32_t velos_ipc_close(VelosReactor *reactor, uint64_t client, uint32_t flush);

#ifdef __cplusplus
}
#endif

#endif

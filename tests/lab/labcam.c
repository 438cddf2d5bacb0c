// A V4L2 camera that plays frames from a file, preloaded into the program under test:
//
//     cc -std=c11 -O2 -shared -fPIC -o labcam.so labcam.c
//     LD_PRELOAD=./labcam.so LABCAM_FRAMES=frames.raw LABCAM_FORMAT=YUYV LABCAM_SIZE=640x480 program /dev/video42
//
// It stands in front of the C library's open, close, ioctl, mmap and syscall, for one device that is open once in a
// process. A thread is the sensor: at each tick it fills the next queued buffer. It is a model of the kernel, there for
// speed and for faults at the wanted frame; that the kernel's own drivers are served right is proven by `run`.
//
//     LABCAM_DEVICE     path of the camera; /dev/video42
//     LABCAM_FRAMES     file of frames, one after another; after the last the first comes again
//     LABCAM_FORMAT     YUYV, NV12, GREY, RGB3, BGR3, Y10, Y12, Y16 or MJPG; YUYV
//     LABCAM_LENGTHS    file with the bytes of each frame as numbers, for MJPG
//     LABCAM_SIZE       640x480
//     LABCAM_STRIDE     bytes from line to line in frames and buffers, for lines that are padded
//     LABCAM_FPS        30, until the program sets another rate
//     LABCAM_SEQUENCE   number of the first frame, 0
//     LABCAM_SETTINGS   file that is written with rate and controls whenever the program sets one
//     LABCAM_CONTROL    file that says what goes wrong; read at every tick and at open:
//         stall         nothing comes: poll times out
//         enodev        unplugged: poll says POLLERR, POLLHUP and POLLPRI, all else ENODEV
//         eio           the driver gave up: DQBUF says EIO until the stream is started anew
//         flagerr [N]   N frames, or all, come with the flag of an error
//         short [N]     N frames, or all, are only half there
//         gap N         N frames are lost
//         step MS       time stamps jump by so many milliseconds, and stay so
//       The file is emptied once N frames or the one fault have happened, so that a test can wait for it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BUFFERS = 32, CAPTURE = V4L2_BUF_TYPE_VIDEO_CAPTURE, PAGE = 4096 };

struct buffer {
    int memory; // one memfd each, which EXPBUF can hand out as it is
    enum { IDLE, QUEUED, FULL } state;
    unsigned turn; // in which order it was queued or filled
    struct v4l2_buffer result;
};

struct control {
    uint32_t id;
    const char *name;
    int least, most, value;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t sensor;
    // `fd` is what the program holds: readable while a byte, that is a full buffer, waits in it. The sensor holds `far`.
    int fd, far;
    bool streaming, unplugged, broken, quit;
    uint32_t fourcc, width, height, stride, size, fps, buffers, turn;
    uint64_t tick, first;
    int64_t step_ms;
    const uint8_t *frames;
    size_t bytes, count, *ends;
    struct buffer buffer[MOST_BUFFERS];
} cam = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .fd = -1, .far = -1};

static struct control controls[] = {
    {V4L2_CID_GAIN, "Gain", 0, 255, 16},
    {V4L2_CID_EXPOSURE_ABSOLUTE, "Exposure Time, Absolute", 1, 5000, 156},
};
enum { CONTROLS = sizeof controls / sizeof *controls };

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *option(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

// ---- files ----

static void write_settings(void) {
    FILE *file = fopen(option("LABCAM_SETTINGS", "/dev/null"), "w");
    if (!file) return;
    fprintf(file, "fps=%u\n", cam.fps);
    for (int i = 0; i < CONTROLS; i++) fprintf(file, "%s=%d\n", controls[i].name, controls[i].value);
    fclose(file);
}

// The word of the control file and its number; -1 where there is none.
static void read_fault(char word[16], long *number) {
    char text[64] = "";
    int file = REAL(open)(option("LABCAM_CONTROL", "/dev/null"), O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) < 0) *text = 0;
    if (file >= 0) REAL(close)(file);
    word[0] = 0;
    *number = -1;
    sscanf(text, "%15s %ld", word, number);
}

static void fault_is_over(long number, const char *word) {
    FILE *file = fopen(option("LABCAM_CONTROL", "/dev/null"), "w");
    if (!file) return;
    if (number > 0) fprintf(file, "%s %ld\n", word, number);
    fclose(file);
}

static void read_frames(void) {
    struct stat status = {0};
    int file = REAL(open)(option("LABCAM_FRAMES", "/dev/null"), O_RDONLY | O_CLOEXEC);
    fstat(file, &status);
    cam.bytes = status.st_size;
    cam.frames = cam.bytes ? REAL(mmap)(NULL, cam.bytes, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    REAL(close)(file);
    cam.count = cam.size ? cam.bytes / cam.size : 0;
    free(cam.ends);
    cam.ends = NULL;
    if (cam.fourcc != V4L2_PIX_FMT_MJPEG) return;
    cam.count = cam.size = 0;
    FILE *lengths = fopen(option("LABCAM_LENGTHS", "/dev/null"), "r");
    size_t end = 0;
    for (size_t length; lengths && fscanf(lengths, "%zu", &length) == 1 && end + length <= cam.bytes; cam.count++) {
        cam.ends = realloc(cam.ends, (cam.count + 1) * sizeof *cam.ends);
        cam.ends[cam.count] = end += length;
        if (length > cam.size) cam.size = length;
    }
    if (lengths) fclose(lengths);
}

static void configure(void) {
    char letters[5] = "    ";
    const char *format = option("LABCAM_FORMAT", "YUYV");
    memcpy(letters, format, strnlen(format, 4));
    cam.fourcc = v4l2_fourcc(letters[0], letters[1], letters[2], letters[3]);
    sscanf(option("LABCAM_SIZE", "640x480"), "%ux%u", &cam.width, &cam.height);
    bool one = cam.fourcc == V4L2_PIX_FMT_GREY || cam.fourcc == V4L2_PIX_FMT_NV12;
    bool three = cam.fourcc == V4L2_PIX_FMT_RGB24 || cam.fourcc == V4L2_PIX_FMT_BGR24;
    cam.stride = cam.width * (one ? 1 : three ? 3 : 2);
    cam.stride = strtoul(option("LABCAM_STRIDE", "0"), NULL, 10) ?: cam.stride;
    cam.size = cam.stride * cam.height;
    if (cam.fourcc == V4L2_PIX_FMT_NV12) cam.size += cam.size / 2;
    if (cam.fourcc == V4L2_PIX_FMT_MJPEG) cam.stride = 0;
    cam.fps = strtoul(option("LABCAM_FPS", "30"), NULL, 10) ?: 30;
    cam.first = strtoul(option("LABCAM_SEQUENCE", "0"), NULL, 10);
    cam.streaming = cam.unplugged = cam.broken = cam.quit = false;
    cam.step_ms = 0;
    read_frames();
}

// ---- the sensor ----

static struct buffer *next_in(int state) {
    struct buffer *next = NULL;
    for (uint32_t i = 0; i < cam.buffers; i++) {
        struct buffer *buffer = &cam.buffer[i];
        if (buffer->state == (unsigned)state && (!next || (int)(buffer->turn - next->turn) < 0)) next = buffer;
    }
    return next;
}

static void fill(struct buffer *buffer, bool damaged, bool cut) {
    size_t frame = cam.count ? cam.tick % cam.count : 0, length = cam.size;
    const uint8_t *from = cam.frames + frame * cam.size;
    if (cam.ends) {
        size_t start = frame ? cam.ends[frame - 1] : 0;
        from = cam.frames + start;
        length = cam.ends[frame] - start;
    }
    if (cam.count && pwrite(buffer->memory, from, length, 0) < 0) damaged = true;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t stamp = now.tv_sec * 1000000LL + now.tv_nsec / 1000 + cam.step_ms * 1000;
    buffer->result.timestamp = (struct timeval){stamp / 1000000, stamp % 1000000};
    buffer->result.sequence = cam.first + cam.tick;
    buffer->result.bytesused = cut ? length / 2 : length;
    buffer->result.flags = damaged ? V4L2_BUF_FLAG_ERROR : 0;
    buffer->state = FULL;
    buffer->turn = cam.turn++;
    if (write(cam.far, "", 1) != 1) cam.broken = true;
}

// What happens at one tick, the control file's will included.
static void tick(void) {
    char word[16];
    long number;
    read_fault(word, &number);
    bool damaged = !strcmp(word, "flagerr"), cut = !strcmp(word, "short");
    if (!strcmp(word, "enodev") && !cam.unplugged) {
        cam.unplugged = true;
        // As with the kernel's unplugged devices: a byte out of band is an event (POLLPRI), and one that nobody will
        // read makes closing an error (POLLERR) besides a hang-up (POLLHUP).
        if (send(cam.far, "", 1, MSG_OOB) == 1 && write(cam.fd, "", 1) == 1) REAL(close)(cam.far);
        cam.far = -1;
    }
    if (!cam.streaming || cam.unplugged || cam.broken || !strcmp(word, "stall")) return;
    if (!strcmp(word, "eio")) {
        cam.broken = true;
        if (write(cam.far, "", 1) != 1) cam.unplugged = true;
        return;
    }
    if (!strcmp(word, "gap")) cam.tick += number > 0 ? number : 1;
    if (!strcmp(word, "step")) cam.step_ms += number;
    if (!strcmp(word, "gap") || !strcmp(word, "step")) fault_is_over(0, word);
    struct buffer *buffer = next_in(QUEUED);
    if (buffer) {
        fill(buffer, damaged, cut);
        if ((damaged || cut) && number > 0) fault_is_over(number - 1, word);
    }
    // A frame for which there was no buffer counts too: that is how a program learns that it was late.
    cam.tick++;
}

static void *sensor(void *unused) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    pthread_mutex_lock(&cam.lock);
    while (!cam.quit) {
        tick();
        pthread_cond_broadcast(&cam.changed);
        at.tv_nsec += 1000000000L / cam.fps;
        if (at.tv_nsec >= 1000000000L) at.tv_sec++, at.tv_nsec -= 1000000000L;
        pthread_mutex_unlock(&cam.lock);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        pthread_mutex_lock(&cam.lock);
    }
    pthread_mutex_unlock(&cam.lock);
    return unused;
}

// ---- open and close ----

static int open_camera(int flags) {
    char word[16];
    long number;
    read_fault(word, &number);
    if (!strcmp(word, "enodev")) return refuse(ENODEV);
    pthread_mutex_lock(&cam.lock);
    int ends[2];
    if (cam.fd >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        pthread_mutex_unlock(&cam.lock);
        return refuse(EBUSY);
    }
    cam.fd = ends[0], cam.far = ends[1];
    if (flags & O_NONBLOCK) fcntl(cam.fd, F_SETFL, O_NONBLOCK);
    configure();
    // Signals are the program's, not the sensor's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&cam.sensor, NULL, sensor, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_unlock(&cam.lock);
    return ends[0];
}

static void stop_streaming(void) {
    char bytes[MOST_BUFFERS];
    while (recv(cam.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
    for (uint32_t i = 0; i < cam.buffers; i++) cam.buffer[i].state = IDLE;
    cam.streaming = cam.broken = false;
    pthread_cond_broadcast(&cam.changed);
}

static void free_buffers(void) {
    for (uint32_t i = 0; i < cam.buffers; i++) REAL(close)(cam.buffer[i].memory);
    cam.buffers = 0;
}

static void close_camera(void) {
    pthread_mutex_lock(&cam.lock);
    cam.quit = true;
    pthread_mutex_unlock(&cam.lock);
    pthread_join(cam.sensor, NULL);
    free_buffers();
    if (cam.far >= 0) REAL(close)(cam.far);
    if (cam.frames) munmap((void *)cam.frames, cam.bytes);
    cam.fd = cam.far = -1;
}

// ---- what V4L2 is asked ----

static int describe_format(struct v4l2_fmtdesc *format) {
    if (format->type != CAPTURE || format->index) return refuse(EINVAL);
    format->pixelformat = cam.fourcc;
    format->flags = cam.ends ? V4L2_FMT_FLAG_COMPRESSED : 0;
    strcpy((char *)format->description, "frames from a file");
    return 0;
}

// The camera has one format, one size: whatever is asked for, that is the answer, as a driver gives it.
static int set_format(struct v4l2_format *format, bool busy) {
    if (format->type != CAPTURE) return refuse(EINVAL);
    if (busy) return refuse(EBUSY);
    memset(&format->fmt, 0, sizeof format->fmt);
    format->fmt.pix = (struct v4l2_pix_format){
        .width = cam.width, .height = cam.height, .pixelformat = cam.fourcc, .field = V4L2_FIELD_NONE,
        .bytesperline = cam.stride, .sizeimage = cam.size, .colorspace = V4L2_COLORSPACE_SRGB,
    };
    return 0;
}

static int set_rate(struct v4l2_streamparm *parm, bool set) {
    if (parm->type != CAPTURE) return refuse(EINVAL);
    struct v4l2_fract time = parm->parm.capture.timeperframe;
    if (set && time.numerator && time.denominator >= time.numerator) cam.fps = time.denominator / time.numerator;
    memset(&parm->parm, 0, sizeof parm->parm);
    parm->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    parm->parm.capture.timeperframe = (struct v4l2_fract){1, cam.fps};
    if (set) write_settings();
    return 0;
}

// One by its number, or the next above it where that is asked for.
static struct control *find_control(uint32_t id) {
    bool next = id & V4L2_CTRL_FLAG_NEXT_CTRL;
    for (int i = 0; i < CONTROLS; i++) {
        if (next ? controls[i].id > (id & V4L2_CTRL_ID_MASK) : controls[i].id == id) return &controls[i];
    }
    return NULL;
}

static int query_control(struct v4l2_queryctrl *query) {
    struct control *control = find_control(query->id);
    if (!control) return refuse(EINVAL);
    *query = (struct v4l2_queryctrl){
        .id = control->id, .type = V4L2_CTRL_TYPE_INTEGER, .minimum = control->least, .maximum = control->most,
        .step = 1, .default_value = control->least,
    };
    strcpy((char *)query->name, control->name);
    return 0;
}

static int query_control_in_full(struct v4l2_query_ext_ctrl *query) {
    struct v4l2_queryctrl brief = {.id = query->id};
    if (query_control(&brief)) return -1;
    *query = (struct v4l2_query_ext_ctrl){
        .id = brief.id, .type = brief.type, .minimum = brief.minimum, .maximum = brief.maximum, .step = 1,
        .default_value = brief.default_value, .elem_size = 4, .elems = 1,
    };
    memcpy(query->name, brief.name, sizeof brief.name);
    return 0;
}

static int access_control(uint32_t id, int32_t *value, bool set) {
    struct control *control = find_control(id);
    if (!control) return refuse(EINVAL);
    // Values outside the range are drawn into it, as by the kernel.
    if (set) control->value = *value < control->least ? control->least : *value > control->most ? control->most : *value;
    *value = control->value;
    if (set) write_settings();
    return 0;
}

static int access_controls(struct v4l2_ext_controls *list, bool set) {
    for (uint32_t i = 0; i < list->count; i++) {
        list->error_idx = i;
        int32_t value = list->controls[i].value;
        if (access_control(list->controls[i].id, &value, set)) return -1;
        list->controls[i].value = value;
    }
    return 0;
}

// ---- buffers ----

static int request_buffers(struct v4l2_requestbuffers *request) {
    if (request->type != CAPTURE || request->memory != V4L2_MEMORY_MMAP) return refuse(EINVAL);
    if (cam.streaming) return refuse(EBUSY);
    free_buffers();
    stop_streaming();
    request->count = request->count > MOST_BUFFERS ? MOST_BUFFERS : request->count;
    request->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
    for (uint32_t i = 0; i < request->count; i++) {
        struct buffer *buffer = &cam.buffer[i];
        memset(buffer, 0, sizeof *buffer);
        buffer->memory = memfd_create("labcam", MFD_CLOEXEC);
        cam.buffers = i + 1;
        if (buffer->memory < 0 || ftruncate(buffer->memory, cam.size)) return refuse(ENOMEM);
    }
    return 0;
}

// A buffer's offset for mmap is its number in pages.
static int tell_buffer(struct v4l2_buffer *to, uint32_t index) {
    struct buffer *buffer = &cam.buffer[index];
    *to = buffer->result;
    to->index = index;
    to->type = CAPTURE;
    to->memory = V4L2_MEMORY_MMAP;
    to->field = V4L2_FIELD_NONE;
    to->length = cam.size;
    to->m.offset = index * PAGE;
    to->flags |= V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_MAPPED;
    to->flags |= buffer->state == QUEUED ? V4L2_BUF_FLAG_QUEUED : buffer->state == FULL ? V4L2_BUF_FLAG_DONE : 0;
    return 0;
}

static int queue(struct v4l2_buffer *buffer) {
    if (buffer->index >= cam.buffers || cam.buffer[buffer->index].state != IDLE) return refuse(EINVAL);
    cam.buffer[buffer->index].state = QUEUED;
    cam.buffer[buffer->index].turn = cam.turn++;
    return tell_buffer(buffer, buffer->index);
}

static int dequeue(struct v4l2_buffer *to) {
    struct buffer *full;
    while (!(full = next_in(FULL))) {
        if (cam.unplugged) return refuse(ENODEV);
        if (cam.broken) return refuse(EIO);
        if (!cam.streaming) return refuse(EINVAL);
        if (fcntl(cam.fd, F_GETFL) & O_NONBLOCK) return refuse(EAGAIN);
        pthread_cond_wait(&cam.changed, &cam.lock);
    }
    if (cam.broken) return refuse(EIO);
    char byte;
    recv(cam.fd, &byte, 1, MSG_DONTWAIT);
    full->state = IDLE;
    return tell_buffer(to, full - cam.buffer);
}

static int export_buffer(struct v4l2_exportbuffer *buffer) {
    if (buffer->index >= cam.buffers) return refuse(EINVAL);
    buffer->fd = fcntl(cam.buffer[buffer->index].memory, F_DUPFD_CLOEXEC, 0);
    return buffer->fd < 0 ? -1 : 0;
}

static int tell_capabilities(struct v4l2_capability *capability) {
    *capability = (struct v4l2_capability){
        .driver = "labcam", .card = "Lab camera", .bus_info = "platform:labcam", .version = 0x060100,
        .device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT,
    };
    capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

static int tell_size(struct v4l2_frmsizeenum *size) {
    if (size->index || size->pixel_format != cam.fourcc) return refuse(EINVAL);
    size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    size->discrete = (struct v4l2_frmsize_discrete){cam.width, cam.height};
    return 0;
}

static int tell_interval(struct v4l2_frmivalenum *interval) {
    bool ours = interval->pixel_format == cam.fourcc && interval->width == cam.width && interval->height == cam.height;
    if (interval->index || !ours) return refuse(EINVAL);
    interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    interval->discrete = (struct v4l2_fract){1, cam.fps};
    return 0;
}

static int answer(uint32_t request, void *argument) {
    struct v4l2_buffer *buffer = argument;
    struct v4l2_control *control = argument;
    if (cam.unplugged) return refuse(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: return tell_capabilities(argument);
    case VIDIOC_ENUM_FMT: return describe_format(argument);
    case VIDIOC_ENUM_FRAMESIZES: return tell_size(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return tell_interval(argument);
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT: return set_format(argument, false);
    case VIDIOC_S_FMT: return set_format(argument, cam.buffers > 0);
    case VIDIOC_G_PARM: return set_rate(argument, false);
    case VIDIOC_S_PARM: return set_rate(argument, true);
    case VIDIOC_QUERYCTRL: return query_control(argument);
    case VIDIOC_QUERY_EXT_CTRL: return query_control_in_full(argument);
    case VIDIOC_G_CTRL: return access_control(control->id, &control->value, false);
    case VIDIOC_S_CTRL: return access_control(control->id, &control->value, true);
    case VIDIOC_G_EXT_CTRLS: return access_controls(argument, false);
    case VIDIOC_S_EXT_CTRLS: return access_controls(argument, true);
    case VIDIOC_REQBUFS: return request_buffers(argument);
    case VIDIOC_QUERYBUF: return buffer->index < cam.buffers ? tell_buffer(buffer, buffer->index) : refuse(EINVAL);
    case VIDIOC_QBUF: return queue(argument);
    case VIDIOC_DQBUF: return dequeue(argument);
    case VIDIOC_EXPBUF: return export_buffer(argument);
    case VIDIOC_STREAMON:
        if (!cam.buffers) return refuse(EINVAL);
        if (!cam.streaming) cam.tick = 0;
        cam.streaming = true;
        return 0;
    case VIDIOC_STREAMOFF: stop_streaming(); return 0;
    default: return refuse(ENOTTY);
    }
}

// ---- in front of the C library ----

// Whether it is the camera's path; then `fd` is the answer.
static bool opens_camera(const char *path, int flags, int *fd) {
    if (strcmp(path, option("LABCAM_DEVICE", "/dev/video42"))) return false;
    *fd = open_camera(flags);
    return true;
}

// The mode, which only creating reads, sits where the call left it.
#define MODE(last) ({ va_list list; va_start(list, last); int mode = va_arg(list, int); va_end(list); mode; })

int open(const char *path, int flags, ...) {
    int fd;
    return opens_camera(path, flags, &fd) ? fd : REAL(open)(path, flags, MODE(flags));
}

int open64(const char *path, int flags, ...) {
    int fd;
    return opens_camera(path, flags, &fd) ? fd : REAL(open64)(path, flags, MODE(flags));
}

int openat(int folder, const char *path, int flags, ...) {
    int fd;
    return opens_camera(path, flags, &fd) ? fd : REAL(openat)(folder, path, flags, MODE(flags));
}

int close(int fd) {
    if (fd >= 0 && fd == cam.fd) close_camera();
    return REAL(close)(fd);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (fd < 0 || fd != cam.fd) {
        return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(fd, request, argument);
    }
    pthread_mutex_lock(&cam.lock);
    int result = answer(request, argument);
    pthread_mutex_unlock(&cam.lock);
    return result;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    if (fd < 0 || fd != cam.fd) return REAL(mmap)(address, length, protection, flags, fd, offset);
    if (offset < 0 || offset / PAGE >= cam.buffers) return errno = EINVAL, MAP_FAILED;
    return REAL(mmap)(address, length, protection, flags, cam.buffer[offset / PAGE].memory, 0);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap(address, length, protection, flags, fd, offset);
}

// The crate `v4l` calls ioctl by its number.
long syscall(long number, ...) {
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_ioctl && (int)a[0] == cam.fd) return ioctl((int)a[0], (uint32_t)a[1], (void *)a[2]);
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

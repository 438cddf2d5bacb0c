// A USB camera without hardware: it speaks USB/IP over a socket to this kernel's own `vhci_hcd`, a USB controller whose
// ports are sockets, so that usbcore and uvcvideo see a device being plugged in, streaming and being pulled out.
//
//     usb_camera [--serial S] [--fps N] [--port N] [--truncate N] [--since US] JPEG...
//
// It shows the JPEGs in turn, as MJPEG of the first one's size, or a moving ramp as YUYV. --truncate leaves every N-th
// frame half there, as a bad cable does; an empty serial is none, as of many cheap cameras. With --since, the n-th frame
// after that moment (CLOCK_MONOTONIC, microseconds) shows the n-th JPEG, whoever looked before: what happens in front of
// the camera goes by the clock; how late each was begun goes to the standard error output. SIGTERM pulls it out. USB Video Class 1.1 with one bulk endpoint: the isochronous
// transfers of most webcams need timing that an emulated machine has not.
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <linux/usb/ch9.h>
#include <linux/usb/video.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTROL = 0, STREAMING = 1,     // interfaces
    MJPEG = 1, YUYV = 2,            // formats, by their index
    CAMERA = 1, OUTPUT = 2,         // terminals
    MAKER = 1, PRODUCT = 2, SERIAL = 3, // strings
    ENDPOINT = 0x81,
    MOST_PAYLOAD = 16384,
    CLOCK = 48000000,
    IN_FLIGHT = 64,
};

static struct {
    int socket, port, truncate, fps;
    const char *serial;
    uint8_t **jpegs;
    size_t *lengths, count;
    uint16_t width, height;
    uint8_t format;
    // The frame on its way to the host; `sent` of its bytes are gone.
    uint8_t *frame;
    size_t length, sent;
    bool sending;
    uint8_t parity;
    uint64_t shown, next_us, since_us;
    // Transfers that the host waits for, oldest first.
    struct transfer { uint32_t number, room; } waiting[IN_FLIGHT];
    size_t waits;
} cam = {.port = 0, .fps = 30, .serial = "LAB0001", .format = MJPEG};

static volatile sig_atomic_t pulled_out;

static void pull_out(int signal) {
    pulled_out = signal;
}

static void die(const char *what) {
    fprintf(stderr, "usb_camera: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

// ---- descriptors ----

DECLARE_UVC_HEADER_DESCRIPTOR(1);
DECLARE_UVC_INPUT_HEADER_DESCRIPTOR(1, 2);
DECLARE_UVC_FRAME_MJPEG(1);
DECLARE_UVC_FRAME_UNCOMPRESSED(1);

static struct usb_device_descriptor device = {
    .bLength = USB_DT_DEVICE_SIZE, .bDescriptorType = USB_DT_DEVICE, .bcdUSB = 0x0200,
    // A device of several interfaces that belong together.
    .bDeviceClass = USB_CLASS_MISC, .bDeviceSubClass = 2, .bDeviceProtocol = 1,
    .bMaxPacketSize0 = 64, .idVendor = 0x1209, .idProduct = 0x0001, .bcdDevice = 0x0100,
    .iManufacturer = MAKER, .iProduct = PRODUCT, .iSerialNumber = SERIAL, .bNumConfigurations = 1,
};

struct control_part {
    struct uvc_header_descriptor_1 header;
    struct uvc_camera_terminal_descriptor camera;
    struct uvc_output_terminal_descriptor output;
} __attribute__((packed));

struct streaming_part {
    struct UVC_INPUT_HEADER_DESCRIPTOR(1, 2) header;
    struct uvc_format_mjpeg mjpeg;
    struct uvc_frame_mjpeg_1 mjpeg_frame;
    struct uvc_color_matching_descriptor mjpeg_colour;
    struct uvc_format_uncompressed yuyv;
    struct uvc_frame_uncompressed_1 yuyv_frame;
    struct uvc_color_matching_descriptor yuyv_colour;
} __attribute__((packed));

#define COLOUR {.bLength = UVC_DT_COLOR_MATCHING_SIZE, .bDescriptorType = USB_DT_CS_INTERFACE, \
    .bDescriptorSubType = UVC_VS_COLORFORMAT, .bColorPrimaries = 1, .bTransferCharacteristics = 1, \
    .bMatrixCoefficients = 4}

static struct {
    struct usb_config_descriptor configuration;
    struct usb_interface_assoc_descriptor together;
    struct usb_interface_descriptor control;
    struct control_part control_part;
    struct usb_interface_descriptor streaming;
    struct streaming_part streaming_part;
    struct usb_endpoint_descriptor_no_audio {
        __u8 bLength, bDescriptorType, bEndpointAddress, bmAttributes;
        __le16 wMaxPacketSize;
        __u8 bInterval;
    } __attribute__((packed)) endpoint;
} __attribute__((packed)) all = {
    .configuration = {
        .bLength = USB_DT_CONFIG_SIZE, .bDescriptorType = USB_DT_CONFIG, .wTotalLength = sizeof all,
        .bNumInterfaces = 2, .bConfigurationValue = 1, .bmAttributes = USB_CONFIG_ATT_ONE, .bMaxPower = 50,
    },
    .together = {
        .bLength = USB_DT_INTERFACE_ASSOCIATION_SIZE, .bDescriptorType = USB_DT_INTERFACE_ASSOCIATION,
        .bFirstInterface = CONTROL, .bInterfaceCount = 2, .bFunctionClass = USB_CLASS_VIDEO,
        .bFunctionSubClass = UVC_SC_VIDEO_INTERFACE_COLLECTION,
    },
    .control = {
        .bLength = USB_DT_INTERFACE_SIZE, .bDescriptorType = USB_DT_INTERFACE, .bInterfaceNumber = CONTROL,
        .bInterfaceClass = USB_CLASS_VIDEO, .bInterfaceSubClass = UVC_SC_VIDEOCONTROL,
    },
    .control_part = {
        .header = {
            .bLength = UVC_DT_HEADER_SIZE(1), .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VC_HEADER, .bcdUVC = 0x0110, .wTotalLength = sizeof(struct control_part),
            .dwClockFrequency = CLOCK, .bInCollection = 1, .baInterfaceNr = {STREAMING},
        },
        .camera = {
            .bLength = UVC_DT_CAMERA_TERMINAL_SIZE(3), .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VC_INPUT_TERMINAL, .bTerminalID = CAMERA, .wTerminalType = UVC_ITT_CAMERA,
            .bControlSize = 3,
        },
        .output = {
            .bLength = UVC_DT_OUTPUT_TERMINAL_SIZE, .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VC_OUTPUT_TERMINAL, .bTerminalID = OUTPUT, .wTerminalType = UVC_TT_STREAMING,
            .bSourceID = CAMERA,
        },
    },
    .streaming = {
        .bLength = USB_DT_INTERFACE_SIZE, .bDescriptorType = USB_DT_INTERFACE, .bInterfaceNumber = STREAMING,
        .bNumEndpoints = 1, .bInterfaceClass = USB_CLASS_VIDEO, .bInterfaceSubClass = UVC_SC_VIDEOSTREAMING,
    },
    .streaming_part = {
        .header = {
            .bLength = UVC_DT_INPUT_HEADER_SIZE(2, 1), .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VS_INPUT_HEADER, .bNumFormats = 2,
            .wTotalLength = sizeof(struct streaming_part), .bEndpointAddress = ENDPOINT, .bTerminalLink = OUTPUT,
            .bControlSize = 1,
        },
        .mjpeg = {
            .bLength = UVC_DT_FORMAT_MJPEG_SIZE, .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VS_FORMAT_MJPEG, .bFormatIndex = MJPEG, .bNumFrameDescriptors = 1,
            .bDefaultFrameIndex = 1,
        },
        .mjpeg_frame = {
            .bLength = UVC_DT_FRAME_MJPEG_SIZE(1), .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VS_FRAME_MJPEG, .bFrameIndex = 1, .bFrameIntervalType = 1,
        },
        .mjpeg_colour = COLOUR,
        .yuyv = {
            .bLength = UVC_DT_FORMAT_UNCOMPRESSED_SIZE, .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VS_FORMAT_UNCOMPRESSED, .bFormatIndex = YUYV, .bNumFrameDescriptors = 1,
            // "YUY2" and the tail that all such GUIDs have.
            .guidFormat = {'Y', 'U', 'Y', '2', 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71},
            .bBitsPerPixel = 16, .bDefaultFrameIndex = 1,
        },
        .yuyv_frame = {
            .bLength = UVC_DT_FRAME_UNCOMPRESSED_SIZE(1), .bDescriptorType = USB_DT_CS_INTERFACE,
            .bDescriptorSubType = UVC_VS_FRAME_UNCOMPRESSED, .bFrameIndex = 1, .bFrameIntervalType = 1,
        },
        .yuyv_colour = COLOUR,
    },
    .endpoint = {
        .bLength = USB_DT_ENDPOINT_SIZE, .bDescriptorType = USB_DT_ENDPOINT, .bEndpointAddress = ENDPOINT,
        .bmAttributes = USB_ENDPOINT_XFER_BULK, .wMaxPacketSize = 512,
    },
};

// What host and camera agree about; there is nothing to choose but the format.
static struct uvc_streaming_control agreed;

static uint32_t interval(void) {
    return 10000000 / cam.fps; // in units of 100 ns
}

static uint32_t largest_frame(void) {
    uint32_t largest = cam.width * cam.height * 2;
    for (size_t i = 0; i < cam.count; i++) {
        if (cam.lengths[i] > largest) largest = cam.lengths[i];
    }
    return largest;
}

static void agree(uint8_t format) {
    agreed = (struct uvc_streaming_control){
        .bmHint = 1, .bFormatIndex = format == YUYV ? YUYV : MJPEG, .bFrameIndex = 1, .dwFrameInterval = interval(),
        .dwMaxVideoFrameSize = largest_frame(), .dwMaxPayloadTransferSize = MOST_PAYLOAD, .dwClockFrequency = CLOCK,
    };
}

// The two kinds of frames have descriptors of one shape.
static void fill_in_descriptors(void) {
    struct uvc_frame_mjpeg_1 *mjpeg = &all.streaming_part.mjpeg_frame;
    mjpeg->wWidth = cam.width;
    mjpeg->wHeight = cam.height;
    mjpeg->dwMinBitRate = 1 << 20;
    mjpeg->dwMaxBitRate = 1 << 28;
    mjpeg->dwMaxVideoFrameBufferSize = largest_frame();
    mjpeg->dwDefaultFrameInterval = mjpeg->dwFrameInterval[0] = interval();
    struct uvc_frame_uncompressed_1 *yuyv = &all.streaming_part.yuyv_frame;
    size_t from = offsetof(struct uvc_frame_mjpeg_1, wWidth);
    memcpy((uint8_t *)yuyv + from, (uint8_t *)mjpeg + from, sizeof *yuyv - from);
}

// ---- frames ----

static void read_jpeg(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    size_t length = ftell(file);
    rewind(file);
    cam.jpegs = realloc(cam.jpegs, (cam.count + 1) * sizeof *cam.jpegs);
    cam.lengths = realloc(cam.lengths, (cam.count + 1) * sizeof *cam.lengths);
    cam.jpegs[cam.count] = malloc(length);
    cam.lengths[cam.count] = length;
    if (fread(cam.jpegs[cam.count++], 1, length, file) != length) die(path);
    fclose(file);
}

// Width and height stand in the segment SOF0, SOF1 or SOF2 (0xc0 to 0xc2).
static void read_size(const uint8_t *jpeg, size_t length) {
    for (size_t at = 2; at + 9 < length && jpeg[at] == 0xff; at += 2 + (jpeg[at + 2] << 8 | jpeg[at + 3])) {
        if (jpeg[at + 1] < 0xc0 || jpeg[at + 1] > 0xc2) continue;
        cam.height = jpeg[at + 5] << 8 | jpeg[at + 6];
        cam.width = jpeg[at + 7] << 8 | jpeg[at + 8];
        return;
    }
    fprintf(stderr, "usb_camera: the first file is no JPEG\n");
    exit(1);
}

// The first moment from `now` on at which a frame is due.
static uint64_t due_us(uint64_t now) {
    uint64_t period = 1000000 / cam.fps;
    if (!cam.since_us) return now;
    if (now < cam.since_us) return cam.since_us;
    return cam.since_us + (now - cam.since_us + period - 1) / period * period;
}

static void begin_frame(void) {
    uint64_t due = cam.next_us;
    if (cam.since_us) cam.shown = (now_us() - cam.since_us) * cam.fps / 1000000;
    if (cam.format == MJPEG) {
        size_t which = cam.shown % cam.count;
        cam.length = cam.lengths[which];
        memcpy(cam.frame, cam.jpegs[which], cam.length);
    } else {
        cam.length = cam.width * cam.height * 2;
        for (size_t i = 0; i < cam.length; i += 2) {
            cam.frame[i] = i / 2 + cam.shown; // brightness
            cam.frame[i + 1] = 128;           // no colour
        }
    }
    cam.shown++;
    if (cam.truncate && cam.shown % cam.truncate == 0) cam.length /= 2;
    cam.parity ^= UVC_STREAM_FID;
    cam.sent = 0;
    cam.sending = true;
    if (cam.since_us) fprintf(stderr, "frame %lu begun %lu us late\n", cam.shown, now_us() - due);
    // A host that was away does not get all that it missed at once.
    uint64_t now = now_us(), period = 1000000 / cam.fps;
    cam.next_us = cam.next_us + period > now ? cam.next_us + period : due_us(now);
}

// ---- USB/IP: messages of twelve big-endian words ----

enum { SUBMIT = 1, UNLINK = 2, SUBMITTED = 3, UNLINKED = 4, WORDS = 12 };
enum { COMMAND, NUMBER, DEVICE, DIRECTION, PIPE, FLAGS, LENGTH }; // words of SUBMIT; its last two are the setup packet

static void send_all(const void *bytes, size_t length) {
    while (length) {
        ssize_t sent = send(cam.socket, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) die("the host is gone");
        if (sent < 0) continue;
        bytes = (const uint8_t *)bytes + sent;
        length -= sent;
    }
}

static bool receive_all(void *bytes, size_t length) {
    return !length || recv(cam.socket, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void respond(uint32_t command, uint32_t number, int status, uint32_t length, const void *data) {
    uint32_t words[WORDS] = {htobe32(command), htobe32(number), 0, 0, 0, htobe32(status), htobe32(length)};
    send_all(words, sizeof words);
    if (data) send_all(data, length);
}

// A payload goes into each transfer: two bytes of header, then as much of the frame as it has room for.
static void stream(void) {
    if (!cam.sending && cam.waits && now_us() >= cam.next_us) begin_frame();
    while (cam.sending && cam.waits) {
        struct transfer transfer = cam.waiting[0];
        memmove(cam.waiting, cam.waiting + 1, --cam.waits * sizeof *cam.waiting);
        uint8_t payload[MOST_PAYLOAD] = {2, UVC_STREAM_EOH | cam.parity};
        size_t room = (transfer.room < MOST_PAYLOAD ? transfer.room : MOST_PAYLOAD) - 2;
        size_t left = cam.length - cam.sent, now = left < room ? left : room;
        memcpy(payload + 2, cam.frame + cam.sent, now);
        cam.sent += now;
        if (cam.sent == cam.length) {
            payload[1] |= UVC_STREAM_EOF;
            cam.sending = false;
        }
        respond(SUBMITTED, transfer.number, 0, 2 + now, payload);
    }
}

static void unlink_transfer(uint32_t number, uint32_t which) {
    int status = 0;
    for (size_t i = 0; i < cam.waits; i++) {
        if (cam.waiting[i].number != which) continue;
        memmove(cam.waiting + i, cam.waiting + i + 1, (--cam.waits - i) * sizeof *cam.waiting);
        status = -ECONNRESET;
        break;
    }
    // The host has stopped: what was half sent is not to be continued in its next stream.
    if (status && !cam.waits) cam.sending = false;
    respond(UNLINKED, number, status, 0, NULL);
}

// ---- requests on endpoint 0: the answer's length, or -1 for a stall ----

static int give(uint8_t *answer, const void *what, size_t length) {
    memcpy(answer, what, length);
    return length;
}

static int give_string(uint8_t *answer, uint8_t which) {
    const char *text = which == MAKER ? "Lab" : which == PRODUCT ? "Lab USB camera" : cam.serial;
    const uint8_t languages[] = {4, USB_DT_STRING, 0x09, 0x04};
    if (!which) return give(answer, languages, sizeof languages);
    size_t letters = strnlen(text, 120);
    memset(answer, 0, 2 + 2 * letters);
    answer[0] = 2 + 2 * letters;
    answer[1] = USB_DT_STRING;
    for (size_t i = 0; i < letters; i++) answer[2 + 2 * i] = text[i];
    return answer[0];
}

static int standard_request(const struct usb_ctrlrequest *setup, uint8_t *answer) {
    switch (setup->bRequest) {
    case USB_REQ_GET_DESCRIPTOR:
        switch (setup->wValue >> 8) {
        case USB_DT_DEVICE: return give(answer, &device, sizeof device);
        case USB_DT_CONFIG: return give(answer, &all, sizeof all);
        case USB_DT_STRING: return give_string(answer, setup->wValue & 0xff);
        default: return -1;
        }
    case USB_REQ_GET_STATUS: return give(answer, "\0", 2);
    case USB_REQ_GET_INTERFACE: return give(answer, "", 1);
    default: return setup->bRequestType & USB_DIR_IN ? -1 : 0;
    }
}

static int streaming_request(const struct usb_ctrlrequest *setup, const uint8_t *sent, uint8_t *answer) {
    uint8_t selector = setup->wValue >> 8;
    if (selector != UVC_VS_PROBE_CONTROL && selector != UVC_VS_COMMIT_CONTROL) return -1;
    switch (setup->bRequest) {
    case UVC_SET_CUR:
        agree(sent[offsetof(struct uvc_streaming_control, bFormatIndex)]);
        if (selector == UVC_VS_COMMIT_CONTROL) {
            cam.format = agreed.bFormatIndex;
            cam.sending = false;
            cam.next_us = due_us(now_us());
        }
        return 0;
    case UVC_GET_CUR:
    case UVC_GET_MIN:
    case UVC_GET_MAX:
    case UVC_GET_DEF: return give(answer, &agreed, sizeof agreed);
    case UVC_GET_LEN: return give(answer, (uint8_t[]){sizeof agreed, 0}, 2);
    case UVC_GET_INFO: return give(answer, (uint8_t[]){3}, 1); // can be read and set
    default: return -1;
    }
}

static int control_request(const struct usb_ctrlrequest *setup, const uint8_t *sent, uint8_t *answer) {
    bool of_class = (setup->bRequestType & USB_TYPE_MASK) == USB_TYPE_CLASS;
    if (!of_class) return standard_request(setup, answer);
    if ((setup->wIndex & 0xff) == STREAMING) return streaming_request(setup, sent, answer);
    // The only other question that uvcvideo asks: what went wrong with the last request.
    bool asks = setup->wValue >> 8 == UVC_VC_REQUEST_ERROR_CODE_CONTROL && setup->bRequest == UVC_GET_CUR;
    return asks ? give(answer, "", 1) : -1;
}

static void submit(const uint32_t *words) {
    uint32_t number = be32toh(words[NUMBER]), length = be32toh(words[LENGTH]);
    bool in = be32toh(words[DIRECTION]) == 1;
    uint8_t sent[1024] = {0}, answer[1024];
    if (!in && (length > sizeof sent || !receive_all(sent, length))) die("the host sent too much");
    if (be32toh(words[PIPE])) {
        if (cam.waits == IN_FLIGHT) die("the host waits for too many transfers");
        cam.waiting[cam.waits++] = (struct transfer){number, length};
        return;
    }
    struct usb_ctrlrequest setup;
    memcpy(&setup, words + WORDS - 2, sizeof setup);
    int result = control_request(&setup, sent, answer);
    if (result < 0) return respond(SUBMITTED, number, -EPIPE, 0, NULL);
    if (!in) return respond(SUBMITTED, number, 0, length, NULL);
    respond(SUBMITTED, number, 0, result < setup.wLength ? result : setup.wLength, answer);
}

// ---- the cable ----

static void write_to_controller(const char *file, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/platform/vhci_hcd.0/%s", file);
    FILE *opened = fopen(path, "w");
    if (!opened || fputs(text, opened) < 0 || fclose(opened)) die(path);
}

static void plug_in(void) {
    int ends[2];
    char text[64];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) die("socketpair");
    cam.socket = ends[0];
    // Port, the host's end of the cable, a number for the device, high speed.
    snprintf(text, sizeof text, "%d %d %d %d", cam.port, ends[1], 0x10002 + cam.port, USB_SPEED_HIGH);
    write_to_controller("attach", text);
    close(ends[1]);
}

static void serve(void) {
    while (!pulled_out) {
        stream();
        struct pollfd host = {.fd = cam.socket, .events = POLLIN};
        int64_t left_ms = cam.waits ? ((int64_t)cam.next_us - (int64_t)now_us() + 999) / 1000 : 1000;
        if (poll(&host, 1, left_ms < 0 ? 0 : left_ms) <= 0) continue;
        uint32_t words[WORDS];
        if (!receive_all(words, sizeof words)) return;
        switch (be32toh(words[COMMAND])) {
        case SUBMIT: submit(words); break;
        case UNLINK: unlink_transfer(be32toh(words[NUMBER]), be32toh(words[FLAGS])); break;
        }
    }
    char text[16];
    snprintf(text, sizeof text, "%d", cam.port);
    write_to_controller("detach", text);
}

int main(int argc, char **argv) {
    int i = 1;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        if (!strcmp(argv[i], "--serial")) cam.serial = argv[i + 1];
        else if (!strcmp(argv[i], "--fps")) cam.fps = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--port")) cam.port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--truncate")) cam.truncate = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--since")) cam.since_us = strtoull(argv[i + 1], NULL, 10);
        else break;
    }
    for (; i < argc && strncmp(argv[i], "--", 2); i++) read_jpeg(argv[i]);
    if (i < argc || !cam.count || cam.fps < 1) {
        fprintf(stderr, "usage: usb_camera [--serial S] [--fps N] [--port N] [--truncate N] [--since US] JPEG...\n");
        return 2;
    }
    read_size(cam.jpegs[0], cam.lengths[0]);
    cam.frame = malloc(largest_frame());
    if (!cam.frame) die("memory");
    if (!*cam.serial) device.iSerialNumber = 0;
    agree(MJPEG);
    fill_in_descriptors();
    // Not restarting system calls: poll is to end at the signal.
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = pull_out}, NULL);
    plug_in();
    serve();
    return 0;
}

// A plug-in provider that does as its file's name says: `crash` ends the process, `hang` never comes back, `idle` has the
// processor for a device and takes no node of any model, `refuse` has it and refuses every model, any other offers no device. The
// entries are those of ONNX Runtime's plug-in interface (1.23 and later), as far as they are used here; GET_EP_API is the offset
// of `GetEpApi` in its table.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION 23

struct base {
    const char *(*api)(uint32_t version);
};

struct ep_api {
    void *(*create_device)(void *factory, const void *hardware, const void *metadata, const void *options, void **device);
};

struct ep {
    uint32_t version;
    const char *(*name)(const struct ep *);
    void *(*capability)(struct ep *, const void *graph, void *support);
    void *rest[16];
};

struct factory {
    uint32_t version;
    const char *(*name)(const struct factory *);
    const char *(*vendor)(const struct factory *);
    void *(*devices)(struct factory *, const void *const *hardware, size_t count, void **devices, size_t room, size_t *used);
    void *(*create)(struct factory *, const void *const *, const void *const *, size_t, const void *, const void *, struct ep **);
    void (*release)(struct factory *, struct ep *);
    uint32_t (*vendor_id)(const struct factory *);
    const char *(*version_text)(const struct factory *);
    void *compatibility, *create_allocator, *release_allocator;
    void *(*create_transfer)(struct factory *, void **transfer);
    bool (*is_stream_aware)(const struct factory *);
    void *rest[16];
};

static const struct ep_api *ep_api;
// The first entry of the table.
static void *(*create_status)(int code, const char *message);
static bool refuses;

static const char *ep_name(const struct ep *ep) {
    (void)ep;
    return "IdleExecutionProvider";
}

// No node is added to what it supports.
static void *capability(struct ep *ep, const void *graph, void *support) {
    (void)ep, (void)graph, (void)support;
    return NULL;
}

static const char *name(const struct factory *factory) {
    (void)factory;
    return "IdleExecutionProvider";
}

static const char *vendor(const struct factory *factory) {
    (void)factory;
    return "nobody";
}

static void *devices(struct factory *factory, const void *const *hardware, size_t count, void **devices, size_t room, size_t *used) {
    *used = 0;
    return count && room ? ep_api->create_device(factory, hardware[(*used)++], NULL, NULL, devices) : NULL;
}

static void *create(struct factory *factory, const void *const *hardware, const void *const *metadata, size_t count,
                    const void *options, const void *logger, struct ep **ep) {
    static struct ep idle = {.version = VERSION, .name = ep_name, .capability = capability};
    (void)factory, (void)hardware, (void)metadata, (void)count, (void)options, (void)logger;
    if (refuses) return create_status(1, "it refuses every model");
    *ep = &idle;
    return NULL;
}

static void release(struct factory *factory, struct ep *ep) {
    (void)factory, (void)ep;
}

static uint32_t vendor_id(const struct factory *factory) {
    (void)factory;
    return 0;
}

static const char *version_text(const struct factory *factory) {
    (void)factory;
    return "0.0.0";
}

// The processor's own memory needs none.
static void *create_transfer(struct factory *factory, void **transfer) {
    (void)factory;
    *transfer = NULL;
    return NULL;
}

static bool is_stream_aware(const struct factory *factory) {
    (void)factory;
    return false;
}

void *CreateEpFactories(const char *registered, const struct base *base, const void *logger, struct factory **factories,
                        size_t room, size_t *count) {
    static struct factory idle = {
        .version = VERSION, .name = name, .vendor = vendor, .devices = devices, .create = create, .release = release,
        .vendor_id = vendor_id, .version_text = version_text, .create_transfer = create_transfer,
        .is_stream_aware = is_stream_aware,
    };
    (void)registered, (void)logger, (void)room;
    Dl_info self;
    const char *file = dladdr((void *)CreateEpFactories, &self) ? self.dli_fname : "";
    if (strstr(file, "crash")) abort();
    while (strstr(file, "hang")) sleep(1);
    *count = 0;
    refuses = strstr(file, "refuse") != NULL;
    if (refuses || strstr(file, "idle")) {
        const char *api = base->api(VERSION);
        create_status = *(void *(*const *)(int, const char *))api;
        ep_api = (*(const struct ep_api *(*const *)(void))(api + GET_EP_API))();
        factories[(*count)++] = &idle;
    }
    return NULL;
}

void *ReleaseEpFactory(void *factory) {
    (void)factory;
    return NULL;
}

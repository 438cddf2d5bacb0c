// A plug-in provider that does as its file's name says: `crash` ends the process, `hang` never comes back, any other offers
// no device. The two entries are those of ONNX Runtime's plug-in interface (1.22 and later).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void *CreateEpFactories(const char *name, const void *api, const void *logger, void **factories, size_t room, size_t *count) {
    (void)name, (void)api, (void)logger, (void)factories, (void)room;
    Dl_info self;
    const char *file = dladdr((void *)CreateEpFactories, &self) ? self.dli_fname : "";
    if (strstr(file, "crash")) abort();
    while (strstr(file, "hang")) sleep(1);
    *count = 0;
    return NULL;
}

void *ReleaseEpFactory(void *factory) {
    (void)factory;
    return NULL;
}

/* A delegate in a library of its own, as an accelerator's maker ships it. What it does is told by its option `mode`:
 * `xnnpack` takes what XNNPACK takes, `idle` takes nothing, `failing` fails when it is asked, anything else is no such
 * device. Built by tests/tflite.rs; XNNPACK comes from the library that the program is linked with. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Delegate {
  void* data;
  int (*prepare)(void* context, struct Delegate* delegate);
  void* buffer_handles[3];
  int64_t flags;
} Delegate;
typedef struct {
  int32_t threads;
  uint32_t flags;
} XnnpackOptions;

Delegate* TfLiteXNNPackDelegateCreate(const XnnpackOptions* options);
void TfLiteXNNPackDelegateDelete(Delegate* delegate);

static int idle(void* context, Delegate* delegate) { return 0; }
static int fails(void* context, Delegate* delegate) { return 1; }

Delegate* tflite_plugin_create_delegate(const char** keys, const char** values, size_t count,
                                        void (*report_error)(const char*)) {
  const char* mode = "";
  for (size_t i = 0; i < count; i++)
    if (strcmp(keys[i], "mode") == 0) mode = values[i];
  if (strcmp(mode, "xnnpack") == 0) {
    XnnpackOptions options = {1, 3};
    return TfLiteXNNPackDelegateCreate(&options);
  }
  if (strcmp(mode, "idle") != 0 && strcmp(mode, "failing") != 0) {
    report_error("no such device is plugged in");
    return NULL;
  }
  Delegate* delegate = calloc(1, sizeof *delegate);
  delegate->prepare = strcmp(mode, "idle") == 0 ? idle : fails;
  delegate->flags = 1;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate* delegate) {
  if (delegate->prepare == idle || delegate->prepare == fails)
    free(delegate);
  else
    TfLiteXNNPackDelegateDelete(delegate);
}

/* A GigE Vision camera: the fake one of Aravis, on the loopback interface. Says `ready` first, then takes from its
 * standard input how many of a thousand packets are to be lost. Ends when it is killed. */
#include <arv.h>
#include <stdio.h>

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: gige_camera SERIAL\n");
        return 2;
    }
    ArvGvFakeCamera *camera = arv_gv_fake_camera_new("127.0.0.1", argv[1]);
    if (camera == NULL || !arv_gv_fake_camera_is_running(camera)) {
        fprintf(stderr, "gige_camera: cannot listen on 127.0.0.1\n");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (double lost; scanf("%lf", &lost) == 1;)
        g_object_set(camera, "gvsp-lost-ratio", lost / 1000.0, NULL);
    g_object_unref(camera);
}

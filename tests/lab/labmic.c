/* A microphone for tests: an ALSA plug-in that plays a WAV file in a loop at the pace of a sound card, and fails on
 * demand. Programs meet the real alsa-lib in front of it; only the kernel and the card are missing.
 *
 * Build:   cc -O2 -shared -fPIC -DPIC -o libasound_module_pcm_labmic.so labmic.c -lasound
 *
 * Settings (asoundrc):
 *   file        the WAV file: a header of 44 bytes, then samples as u8, s16, s32 or f32; it sets format, rate, channels
 *   control     a file whose one word says how to behave (below); optional
 *   clock       a file that is told when sample 0 was taken: CLOCK_MONOTONIC, nanoseconds; optional
 *   ppm         parts per million by which the card is fast; optional
 *   max_period  bytes of a period at most; optional
 *
 * Words: ok          as a card should
 *        silence     zeros
 *        xrun        one overrun, when the word is first read
 *        stall       no sample comes any more; time goes on, so that what the card would have taken is lost
 *        hang        the driver does not return from a call, as with a dead sound server
 *        disconnect  unplugged: hang-up, and opening fails
 *        busy, denied  opening fails so
 *
 * Sample n of the file is always the one taken n / rate seconds after sample 0, whatever was lost on the way. */

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <math.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define HEADER 44
#define SECOND 1000000000LL

struct mic {
	snd_pcm_ioplug_t io;
	int timer;
	/* The file. */
	unsigned char *samples;
	long frames;
	unsigned frame_bytes, sample_bytes, channels, rate;
	snd_pcm_format_t format;
	/* The card. */
	double true_rate;
	long long first;      /* when sample 0 was taken; 0 before that */
	long long started;    /* when the card's counter stood at 0; moved on by stalls */
	long long stalled;    /* since when it stalls; 0 if it does not */
	long base;            /* sample at which the counter began */
	long seam, before;    /* samples counted under `seam` began at `before`: they were taken before a stall */
	int running, xrun_done;
	char control[512], clock[512];
};

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Whether the control file says `word`. */
static int told(const char *control, const char *word)
{
	char text[32] = "";
	int file = control[0] ? open(control, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return 0;
	ssize_t length = read(file, text, sizeof text - 1);
	close(file);
	if (length < 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, word);
}

static long frames_in(const struct mic *mic, long long ns)
{
	return (long)floor(ns * 1e-9 * mic->true_rate);
}

/* Frames that the card has taken since it was started. */
static long taken(struct mic *mic)
{
	if (!mic->running)
		return 0;
	long long t = now();
	int stall = told(mic->control, "stall");
	if (stall && !mic->stalled)
		mic->stalled = t;
	if (!stall && mic->stalled) {
		mic->seam = frames_in(mic, mic->stalled - mic->started);
		mic->before = mic->base;
		mic->base += frames_in(mic, t - mic->started) - mic->seam;
		mic->started += t - mic->stalled;
		mic->stalled = 0;
	}
	return frames_in(mic, (mic->stalled ? mic->stalled : t) - mic->started);
}

static int mic_start(snd_pcm_ioplug_t *io)
{
	struct mic *mic = io->private_data;
	long long tick = SECOND * io->period_size / io->rate / 8;
	struct itimerspec every = { { tick / SECOND, tick % SECOND }, { 0, tick % SECOND } };
	mic->started = now();
	if (!mic->first) {
		mic->first = mic->started;
		FILE *file = mic->clock[0] ? fopen(mic->clock, "w") : NULL;
		if (file) {
			fprintf(file, "%lld\n", mic->first);
			fclose(file);
		}
	}
	/* The counter begins with a sample that is just being taken. */
	mic->base = (long)ceil((mic->started - mic->first) * 1e-9 * mic->true_rate);
	mic->started = mic->first + (long long)ceil(mic->base * 1e9 / mic->true_rate);
	mic->seam = 0;
	mic->stalled = 0;
	mic->running = 1;
	return timerfd_settime(mic->timer, 0, &every, NULL) < 0 ? -errno : 0;
}

static int mic_stop(snd_pcm_ioplug_t *io)
{
	struct mic *mic = io->private_data;
	struct itimerspec never = { { 0, 0 }, { 0, 0 } };
	mic->running = 0;
	return timerfd_settime(mic->timer, 0, &never, NULL) < 0 ? -errno : 0;
}

/* Where the card writes in its buffer; an overrun if the program is a whole buffer behind. */
static snd_pcm_sframes_t mic_pointer(snd_pcm_ioplug_t *io)
{
	struct mic *mic = io->private_data;
	if (told(mic->control, "disconnect"))
		return -ENODEV;
	if (!told(mic->control, "xrun")) {
		mic->xrun_done = 0;
	} else if (!mic->xrun_done) {
		mic->xrun_done = 1;
		return -EPIPE;
	}
	long frames = taken(mic);
	if (frames - (long)io->appl_ptr > (long)io->buffer_size)
		return -EPIPE;
	return frames % io->buffer_size;
}

static snd_pcm_sframes_t mic_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
				      snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	struct mic *mic = io->private_data;
	int silent = told(mic->control, "silence");
	for (snd_pcm_uframes_t i = 0; i < size; i++) {
		long counted = io->appl_ptr + i;
		long frame = ((counted < mic->seam ? mic->before : mic->base) + counted) % mic->frames;
		for (unsigned c = 0; c < io->channels; c++) {
			char *to = (char *)areas[c].addr + areas[c].first / 8 + (offset + i) * (areas[c].step / 8);
			if (silent)
				snd_pcm_format_set_silence(mic->format, to, 1);
			else
				memcpy(to, mic->samples + frame * mic->frame_bytes + c * mic->sample_bytes,
				       mic->sample_bytes);
		}
	}
	return size;
}

static int mic_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned count, unsigned short *events)
{
	struct mic *mic = io->private_data;
	uint64_t ticks;
	(void)fds;
	(void)count;
	if (read(mic->timer, &ticks, sizeof ticks) < 0)
		ticks = 0;
	while (told(mic->control, "hang"))
		usleep(10000);
	if (told(mic->control, "disconnect"))
		*events = POLLERR | POLLHUP;
	else if (told(mic->control, "xrun") && !mic->xrun_done)
		*events = POLLERR;
	else
		*events = taken(mic) - (long)io->appl_ptr >= (long)io->period_size ? POLLIN : 0;
	return 0;
}

static int mic_close(snd_pcm_ioplug_t *io)
{
	struct mic *mic = io->private_data;
	close(mic->timer);
	free(mic->samples);
	free(mic);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.start = mic_start,
	.stop = mic_stop,
	.pointer = mic_pointer,
	.transfer = mic_transfer,
	.poll_revents = mic_poll_revents,
	.close = mic_close,
};

static unsigned little(const unsigned char *bytes, int count)
{
	unsigned value = 0;
	while (count--)
		value = value << 8 | bytes[count];
	return value;
}

static int read_wav(struct mic *mic, const char *path)
{
	unsigned char header[HEADER];
	FILE *file = fopen(path, "rb");
	if (!file)
		return -ENODEV;
	if (fread(header, 1, HEADER, file) != HEADER) {
		fclose(file);
		return -EINVAL;
	}
	int is_float = little(header + 20, 2) == 3;
	mic->channels = little(header + 22, 2);
	mic->rate = little(header + 24, 4);
	mic->sample_bytes = little(header + 34, 2) / 8;
	mic->frame_bytes = mic->channels * mic->sample_bytes;
	mic->format = is_float		      ? SND_PCM_FORMAT_FLOAT_LE
		      : mic->sample_bytes == 1 ? SND_PCM_FORMAT_U8
		      : mic->sample_bytes == 2 ? SND_PCM_FORMAT_S16_LE
					       : SND_PCM_FORMAT_S32_LE;
	fseek(file, 0, SEEK_END);
	long bytes = ftell(file) - HEADER;
	fseek(file, HEADER, SEEK_SET);
	mic->samples = mic->frame_bytes && bytes > 0 ? malloc(bytes) : NULL;
	mic->frames = mic->samples ? (long)fread(mic->samples, mic->frame_bytes, bytes / mic->frame_bytes, file) : 0;
	fclose(file);
	return mic->frames > 0 ? 0 : -EINVAL;
}

/* The card has one access, format, rate and number of channels, as hardware does. */
static int offer(struct mic *mic, long max_period)
{
	unsigned access = SND_PCM_ACCESS_RW_INTERLEAVED, format = mic->format;
	snd_pcm_ioplug_t *io = &mic->io;
	int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, &access);
	if (!error)
		error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, mic->channels, mic->channels);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, mic->rate, mic->rate);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 128, max_period);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 256, 4 * max_period);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
	return error;
}

SND_PCM_PLUGIN_DEFINE_FUNC(labmic)
{
	const char *file = "", *control = "", *clock = "";
	long ppm = 0, max_period = 1 << 18;
	snd_config_iterator_t i, next;

	(void)root;
	if (stream != SND_PCM_STREAM_CAPTURE)
		return -EINVAL;
	snd_config_for_each(i, next, conf) {
		snd_config_t *entry = snd_config_iterator_entry(i);
		const char *id;
		if (snd_config_get_id(entry, &id) < 0)
			continue;
		if (!strcmp(id, "file"))
			snd_config_get_string(entry, &file);
		else if (!strcmp(id, "control"))
			snd_config_get_string(entry, &control);
		else if (!strcmp(id, "clock"))
			snd_config_get_string(entry, &clock);
		else if (!strcmp(id, "ppm"))
			snd_config_get_integer(entry, &ppm);
		else if (!strcmp(id, "max_period"))
			snd_config_get_integer(entry, &max_period);
	}
	if (told(control, "disconnect"))
		return -ENODEV;
	if (told(control, "busy"))
		return -EBUSY;
	if (told(control, "denied"))
		return -EACCES;

	struct mic *mic = calloc(1, sizeof *mic);
	if (!mic)
		return -ENOMEM;
	int error = read_wav(mic, file);
	if (error) {
		free(mic->samples);
		free(mic);
		return error;
	}
	mic->true_rate = mic->rate * (1 + ppm * 1e-6);
	snprintf(mic->control, sizeof mic->control, "%s", control);
	snprintf(mic->clock, sizeof mic->clock, "%s", clock);
	mic->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	mic->io.version = SND_PCM_IOPLUG_VERSION;
	mic->io.name = "Lab microphone";
	mic->io.callback = &callbacks;
	mic->io.private_data = mic;
	mic->io.poll_fd = mic->timer;
	mic->io.poll_events = POLLIN;
	error = snd_pcm_ioplug_create(&mic->io, name, stream, mode);
	if (error < 0) {
		mic_close(&mic->io);
		return error;
	}
	error = offer(mic, max_period);
	if (error < 0) {
		snd_pcm_ioplug_delete(&mic->io);
		return error;
	}
	*pcmp = mic->io.pcm;
	return 0;
}

SND_PCM_PLUGIN_SYMBOL(labmic);

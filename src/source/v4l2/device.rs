//! A V4L2 device node: finding it, what it is and offers, setting it. Structures and numbers are the kernel's own
//! (`linux/videodev2.h`), by way of crate `v4l`. Frames are left to `stream`.

use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use v4l::FourCC;
use v4l::capability::Flags;
use v4l::v4l_sys::*;
use v4l::v4l2::vidioc::{self, _IOC_TYPE};

use crate::error::{Error, ErrorKind, Result};

/// A structure of `videodev2.h`.
///
/// # Safety
/// All bytes zero must be a value of it.
pub(super) unsafe trait Uapi: Copy {
    /// All bytes zero, as the kernel wants what is not set.
    fn zeroed() -> Self {
        // SAFETY: who implements the trait promises that this is a value.
        unsafe { std::mem::zeroed() }
    }
}

macro_rules! uapi {
    ($($name:ty),*) => {
        // SAFETY: made of integers, and of unions and arrays of such, and of pointers that may be null.
        $(unsafe impl Uapi for $name {})*
    };
}
uapi!(
    v4l2_capability,
    v4l2_fmtdesc,
    v4l2_frmsizeenum,
    v4l2_frmivalenum,
    v4l2_format,
    v4l2_streamparm,
    v4l2_queryctrl,
    v4l2_control,
    v4l2_requestbuffers,
    v4l2_buffer,
    v4l2_plane,
    v4l2_exportbuffer,
    v4l2_event,
    v4l2_event_subscription,
    v4l2_dv_timings,
    u32
);

/// An `ioctl` with the structure that it reads and writes.
pub(super) struct Request<T> {
    number: _IOC_TYPE,
    of: PhantomData<T>,
}

impl<T> Request<T> {
    const fn new(number: _IOC_TYPE) -> Self {
        assert!((number >> 16) as usize & 0x3fff == size_of::<T>(), "the number tells another size");
        Self { number, of: PhantomData }
    }

    /// What crate `v4l` has no number for: `direction` is 1 to write, 2 to read, 3 for both.
    const fn numbered(direction: _IOC_TYPE, number: _IOC_TYPE) -> Self {
        Self::new(direction << 30 | (size_of::<T>() as _IOC_TYPE) << 16 | (b'V' as _IOC_TYPE) << 8 | number)
    }
}

const QUERYCAP: Request<v4l2_capability> = Request::new(vidioc::VIDIOC_QUERYCAP);
const ENUM_FMT: Request<v4l2_fmtdesc> = Request::new(vidioc::VIDIOC_ENUM_FMT);
const ENUM_FRAMESIZES: Request<v4l2_frmsizeenum> = Request::new(vidioc::VIDIOC_ENUM_FRAMESIZES);
const ENUM_FRAMEINTERVALS: Request<v4l2_frmivalenum> = Request::new(vidioc::VIDIOC_ENUM_FRAMEINTERVALS);
const G_FMT: Request<v4l2_format> = Request::new(vidioc::VIDIOC_G_FMT);
const S_FMT: Request<v4l2_format> = Request::new(vidioc::VIDIOC_S_FMT);
const G_PARM: Request<v4l2_streamparm> = Request::new(vidioc::VIDIOC_G_PARM);
const S_PARM: Request<v4l2_streamparm> = Request::new(vidioc::VIDIOC_S_PARM);
const QUERYCTRL: Request<v4l2_queryctrl> = Request::new(vidioc::VIDIOC_QUERYCTRL);
const S_CTRL: Request<v4l2_control> = Request::new(vidioc::VIDIOC_S_CTRL);
const S_DV_TIMINGS: Request<v4l2_dv_timings> = Request::numbered(3, 87);
const QUERY_DV_TIMINGS: Request<v4l2_dv_timings> = Request::numbered(2, 99);
const SUBSCRIBE_EVENT: Request<v4l2_event_subscription> = Request::numbered(1, 90);
pub(super) const DQEVENT: Request<v4l2_event> = Request::numbered(2, 89);
pub(super) const REQBUFS: Request<v4l2_requestbuffers> = Request::new(vidioc::VIDIOC_REQBUFS);
pub(super) const QUERYBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_QUERYBUF);
pub(super) const QBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_QBUF);
pub(super) const DQBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_DQBUF);
pub(super) const EXPBUF: Request<v4l2_exportbuffer> = Request::new(vidioc::VIDIOC_EXPBUF);
pub(super) const STREAMON: Request<u32> = Request::new(vidioc::VIDIOC_STREAMON);
pub(super) const STREAMOFF: Request<u32> = Request::new(vidioc::VIDIOC_STREAMOFF);

/// Asks the driver, again when a signal came in between.
///
/// A structure with pointers in it must point to memory that the kernel may write.
pub(super) fn ask<T: Uapi>(file: &File, request: &Request<T>, value: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: the number tells the kernel the size of `T` (`Request::new`), so it stays within `value`.
        let done =
            unsafe { v4l::v4l2::ioctl(file.as_raw_fd(), request.number, std::ptr::from_mut(value).cast::<c_void>()) };
        match done {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// An open device node that captures pictures.
pub(super) struct Node {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// What the driver calls it.
    pub(super) card: String,
    /// Where it is plugged in.
    pub(super) bus: String,
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE` or its multi-planar sister.
    pub(super) kind: u32,
}

/// How a device delivers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) fourcc: [u8; 4],
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from one row to the next, for each plane.
    pub(super) strides: [u32; 2],
    pub(super) planes: usize,
    /// BT.709 and full range, as the driver says.
    pub(super) bt709: bool,
    pub(super) full: bool,
}

impl Node {
    /// Opens a node, if it captures pictures.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = file.map_err(|error| cannot(path, "open", error))?;
        let mut caps = v4l2_capability::zeroed();
        ask(&file, &QUERYCAP, &mut caps).map_err(|error| {
            let what = format!("{} is no V4L2 device", path.display());
            Error::caused(ErrorKind::Unavailable, what, error)
        })?;
        let flags =
            if caps.capabilities & Flags::DEVICE_CAPS.bits() != 0 { caps.device_caps } else { caps.capabilities };
        let flags = Flags::from_bits_truncate(flags);
        let kind = if flags.contains(Flags::VIDEO_CAPTURE) {
            v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE
        } else if flags.contains(Flags::VIDEO_CAPTURE_MPLANE) {
            v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
        } else {
            // A USB camera has a second node for its metadata.
            return Err(Error::new(ErrorKind::Unavailable, format!("{} captures no pictures", path.display())));
        };
        if !flags.contains(Flags::STREAMING) {
            return Err(Error::new(ErrorKind::Unavailable, format!("{} cannot stream", path.display())));
        }
        let (card, bus) = (text(&caps.card), text(&caps.bus_info));
        Ok(Self { file, path: path.to_path_buf(), card, bus, kind })
    }

    pub(super) fn is_multi_planar(&self) -> bool {
        self.kind == v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
    }

    /// Serial number of the device behind the node, where it has one.
    pub(super) fn serial(&self) -> Option<String> {
        let name = self.path.canonicalize().ok()?.file_name()?.to_owned();
        let device = Path::new("/sys/class/video4linux").join(name).join("device").canonicalize().ok()?;
        // The node belongs to an interface of the device that has the number. Farther up are hubs and controllers.
        let mut above = device.ancestors().take(2);
        above.find_map(|folder| fs::read_to_string(folder.join("serial")).ok()).map(|serial| serial.trim().to_string())
    }

    /// FourCCs on offer.
    pub(super) fn formats(&self) -> Vec<[u8; 4]> {
        let each = |index| {
            let mut format = v4l2_fmtdesc { index, type_: self.kind, ..v4l2_fmtdesc::zeroed() };
            ask(&self.file, &ENUM_FMT, &mut format).ok().map(|()| format.pixelformat.to_le_bytes())
        };
        (0..MANY).map_while(each).collect()
    }

    /// Sizes on offer in a format: each one, or the least and the largest of a range.
    pub(super) fn sizes(&self, fourcc: [u8; 4]) -> Vec<[u32; 2]> {
        let mut sizes = Vec::new();
        for index in 0..MANY {
            let pixel_format = u32::from_le_bytes(fourcc);
            let mut size = v4l2_frmsizeenum { index, pixel_format, ..v4l2_frmsizeenum::zeroed() };
            if ask(&self.file, &ENUM_FRAMESIZES, &mut size).is_err() {
                break;
            }
            if size.type_ == v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                // SAFETY: `type_` says that this is the member that the driver wrote.
                let v4l2_frmsize_discrete { width, height } = unsafe { size.__bindgen_anon_1.discrete };
                sizes.push([width, height]);
            } else {
                // SAFETY: as above, of the other member.
                let range = unsafe { size.__bindgen_anon_1.stepwise };
                sizes.extend([[range.min_width, range.min_height], [range.max_width, range.max_height]]);
                break;
            }
        }
        sizes
    }

    /// Frames a second on offer, fastest first; of a range, its ends.
    pub(super) fn rates(&self, fourcc: [u8; 4], [width, height]: [u32; 2]) -> Vec<f64> {
        let per_second = |interval: v4l2_fract| f64::from(interval.denominator) / f64::from(interval.numerator.max(1));
        let mut rates = Vec::new();
        for index in 0..MANY {
            let pixel_format = u32::from_le_bytes(fourcc);
            let mut interval = v4l2_frmivalenum { index, pixel_format, width, height, ..v4l2_frmivalenum::zeroed() };
            if ask(&self.file, &ENUM_FRAMEINTERVALS, &mut interval).is_err() {
                break;
            }
            if interval.type_ == v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                // SAFETY: `type_` says that this is the member that the driver wrote.
                rates.push(per_second(unsafe { interval.__bindgen_anon_1.discrete }));
            } else {
                // SAFETY: as above, of the other member.
                let range = unsafe { interval.__bindgen_anon_1.stepwise };
                rates.extend([per_second(range.min), per_second(range.max)]);
                break;
            }
        }
        rates.sort_by(|a, b| b.total_cmp(a));
        rates
    }

    /// How the device delivers now.
    pub(super) fn layout(&self) -> io::Result<Layout> {
        let mut format = v4l2_format { type_: self.kind, ..v4l2_format::zeroed() };
        ask(&self.file, &G_FMT, &mut format)?;
        Ok(self.read(&format))
    }

    /// Asks for a format and size; the driver answers with the nearest it has.
    pub(super) fn set_layout(&self, fourcc: [u8; 4], [width, height]: [u32; 2]) -> io::Result<Layout> {
        let mut format = v4l2_format { type_: self.kind, ..v4l2_format::zeroed() };
        let pixelformat = u32::from_le_bytes(fourcc);
        if self.is_multi_planar() {
            let zeroed = v4l2_pix_format_mplane { width, height, pixelformat, ..planar(&format) };
            format.fmt.pix_mp = zeroed;
        } else {
            format.fmt.pix = v4l2_pix_format { width, height, pixelformat, ..packed(&format) };
        }
        ask(&self.file, &S_FMT, &mut format)?;
        Ok(self.read(&format))
    }

    fn read(&self, format: &v4l2_format) -> Layout {
        let (fourcc, width, height, strides, planes, colorspace, encoding, quantization);
        if self.is_multi_planar() {
            let pix = planar(format);
            (fourcc, width, height) = (pix.pixelformat, pix.width, pix.height);
            strides = [pix.plane_fmt[0].bytesperline, pix.plane_fmt[1].bytesperline];
            planes = usize::from(pix.num_planes);
            // SAFETY: both members are one number.
            (colorspace, encoding) = (pix.colorspace, u32::from(unsafe { pix.__bindgen_anon_1.ycbcr_enc }));
            quantization = u32::from(pix.quantization);
        } else {
            let pix = packed(format);
            (fourcc, width, height) = (pix.pixelformat, pix.width, pix.height);
            strides = [pix.bytesperline, pix.bytesperline];
            planes = 1;
            // SAFETY: both members are one number.
            (colorspace, encoding) = (pix.colorspace, unsafe { pix.__bindgen_anon_1.ycbcr_enc });
            quantization = pix.quantization;
        }
        // What is not said follows from the colour space (V4L2_MAP_YCBCR_ENC_DEFAULT, V4L2_MAP_QUANTIZATION_DEFAULT).
        let (unsaid, said_709) = (v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_DEFAULT, v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709);
        let hd = colorspace == v4l2_colorspace_V4L2_COLORSPACE_REC709;
        let bt709 = encoding == said_709 || (encoding == unsaid && hd);
        let (unsaid, said_full) =
            (v4l2_quantization_V4L2_QUANTIZATION_DEFAULT, v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE);
        let jpeg = colorspace == v4l2_colorspace_V4L2_COLORSPACE_JPEG;
        let full = quantization == said_full || (quantization == unsaid && jpeg);
        Layout { fourcc: fourcc.to_le_bytes(), width, height, strides, planes, bt709, full }
    }

    /// Frames a second, after asking for some; `None` where the driver does not say.
    pub(super) fn set_rate(&self, wanted: Option<u32>) -> Option<f64> {
        let mut parameters = v4l2_streamparm { type_: self.kind, ..v4l2_streamparm::zeroed() };
        ask(&self.file, &G_PARM, &mut parameters).ok()?;
        if let Some(wanted) = wanted {
            parameters.parm.capture.timeperframe = v4l2_fract { numerator: 1, denominator: wanted };
            ask(&self.file, &S_PARM, &mut parameters).ok()?;
        }
        // SAFETY: of a capturing device this is the member that the driver writes.
        let capture = unsafe { parameters.parm.capture };
        let v4l2_fract { numerator, denominator } = capture.timeperframe;
        (capture.capability & V4L2_CAP_TIMEPERFRAME != 0 && numerator > 0)
            .then(|| f64::from(denominator) / f64::from(numerator))
    }

    /// The device's controls, by their names in lower case, as `v4l2-ctl` writes them.
    pub(super) fn controls(&self) -> Vec<(String, v4l2_queryctrl)> {
        let mut controls = Vec::new();
        let mut id = 0;
        while controls.len() < MANY as usize {
            let mut control = v4l2_queryctrl { id: id | V4L2_CTRL_FLAG_NEXT_CTRL, ..v4l2_queryctrl::zeroed() };
            if ask(&self.file, &QUERYCTRL, &mut control).is_err() {
                break;
            }
            id = control.id;
            if control.flags & V4L2_CTRL_FLAG_DISABLED == 0 {
                controls.push((control_name(&text(&control.name)), control));
            }
        }
        controls
    }

    /// Sets a control.
    pub(super) fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        ask(&self.file, &S_CTRL, &mut v4l2_control { id, value })
    }

    /// Takes over the timings of what is plugged into a receiver of digital video; nothing to do for a camera.
    pub(super) fn follow_signal(&self) -> io::Result<()> {
        let mut timings = v4l2_dv_timings::zeroed();
        match ask(&self.file, &QUERY_DV_TIMINGS, &mut timings) {
            Ok(()) => ask(&self.file, &S_DV_TIMINGS, &mut timings),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::ENODATA | libc::EINVAL)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks to be told when the signal changes. A driver that has no such event never tells.
    pub(super) fn watch_signal(&self) {
        let mut wanted =
            v4l2_event_subscription { type_: V4L2_EVENT_SOURCE_CHANGE, ..v4l2_event_subscription::zeroed() };
        let _has_none = ask(&self.file, &SUBSCRIBE_EVENT, &mut wanted);
    }

    /// Whether the signal has changed since this was last asked.
    pub(super) fn signal_changed(&self) -> bool {
        let mut changed = false;
        let mut event = v4l2_event::zeroed();
        while ask(&self.file, &DQEVENT, &mut event).is_ok() {
            changed |= event.type_ == V4L2_EVENT_SOURCE_CHANGE;
        }
        changed
    }
}

/// More entries than any driver lists: ends an enumeration that does not end by itself.
const MANY: u32 = 1024;

fn packed(format: &v4l2_format) -> v4l2_pix_format {
    // SAFETY: every member of the union is plain numbers, whichever was written.
    unsafe { format.fmt.pix }
}

fn planar(format: &v4l2_format) -> v4l2_pix_format_mplane {
    // SAFETY: as above.
    unsafe { format.fmt.pix_mp }
}

/// A C string of fixed room.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// `Exposure Time, Absolute` → `exposure_time_absolute`.
fn control_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// `YUYV`; a trailing space stays.
pub(super) fn fourcc_text(fourcc: [u8; 4]) -> String {
    FourCC::new(&fourcc).to_string()
}

/// What an error of opening or starting a camera means, and what mends it.
pub(super) fn cannot(path: &Path, deed: &str, error: io::Error) -> Error {
    let path = path.display();
    let what = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            format!("there is no camera {path}; `eyear devices` lists those there are")
        }
        Some(libc::EACCES | libc::EPERM) => {
            format!(
                "no permission for {path}: add the user to the group `video` (usermod -aG video USER) and log in again"
            )
        }
        Some(libc::EBUSY) => format!("{path} is in use by another program"),
        _ => return Error::caused(ErrorKind::Unavailable, format!("cannot {deed} {path}"), error),
    };
    Error::new(ErrorKind::Unavailable, what)
}

/// The nodes in `/dev` that may be cameras, in the order of their numbers.
pub(super) fn nodes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("video")?.parse::<u32>().ok();
    let mut nodes: Vec<(u32, PathBuf)> =
        entries.map(|entry| entry.path()).filter_map(|path| Some((number(&path)?, path))).collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// The names that stay with the camera or its plug, under `/dev/v4l/by-id` and `/dev/v4l/by-path`.
pub(super) fn links(node: &Path) -> Vec<PathBuf> {
    let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten();
    let all = ["/dev/v4l/by-id", "/dev/v4l/by-path"].into_iter().flat_map(entries).map(|entry| entry.path());
    let mut links: Vec<PathBuf> = all.filter(|link| link.canonicalize().is_ok_and(|to| to == node)).collect();
    links.sort();
    links
}

/// The node that a station means by `device`: a path, a name under `/dev/v4l`, a serial number, or a plug.
pub(super) fn find(device: &str) -> Result<Node> {
    if device.is_empty() || device.contains('\0') {
        return Err(Error::new(
            ErrorKind::Config,
            "camera.device wants a device, a name in /dev/v4l/by-id or a serial number",
        ));
    }
    let folders = ["/", "/dev", "/dev/v4l/by-id", "/dev/v4l/by-path"];
    if device.starts_with('/') {
        return Node::open(Path::new(device));
    }
    if let Some(path) = folders[1..].iter().map(|folder| Path::new(folder).join(device)).find(|path| path.exists()) {
        return Node::open(&path);
    }
    let mut found: Vec<Node> = nodes()
        .iter()
        .filter_map(|path| Node::open(path).ok())
        .filter(|node| node.serial().as_deref() == Some(device) || node.bus == device)
        .collect();
    match (found.pop(), found.pop()) {
        (Some(node), None) => Ok(node),
        (Some(one), Some(other)) => {
            let what = format!(
                "{} and {} both go by `{device}`: use a name in /dev/v4l/by-path",
                other.path.display(),
                one.path.display()
            );
            Err(Error::new(ErrorKind::Config, what))
        }
        (None, _) => {
            let what = format!("there is no camera `{device}`; `eyear devices` lists those there are");
            Err(Error::new(ErrorKind::Unavailable, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_by_the_names_that_other_tools_use() {
        assert_eq!(control_name("Exposure Time, Absolute"), "exposure_time_absolute");
        assert_eq!(control_name("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(text(b"Cam 42\0\0\0"), "Cam 42");
    }

    #[test]
    fn what_the_kernel_refuses_is_told_with_what_mends_it() {
        let told = |number| cannot(Path::new("/dev/video0"), "open", io::Error::from_raw_os_error(number));
        for (number, words) in [
            (libc::EACCES, "no permission for /dev/video0: add the user to the group `video` (usermod -aG video USER)"),
            (libc::EBUSY, "/dev/video0 is in use by another program"),
            (libc::ENOENT, "there is no camera /dev/video0; `eyear devices` lists those there are"),
            (libc::EIO, "cannot open /dev/video0: "),
        ] {
            let error = told(number);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "it may come back by itself");
            assert!(error.chain().starts_with(words), "{}", error.chain());
        }
    }

    #[test]
    fn what_is_no_camera_is_told_in_one_sentence() {
        for device in ["/dev/video987", "no-such-camera", "/dev/null", "/proc/version"] {
            let error = find(device).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{device}");
            assert!(error.message().contains(device.trim_start_matches("/dev/")), "{device}: {}", error.chain());
        }
        assert_eq!(find("").err().unwrap().kind(), ErrorKind::Config);
        assert_eq!(find("a\0b").err().unwrap().kind(), ErrorKind::Config);
    }
}

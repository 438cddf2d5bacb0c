//! The frames of a V4L2 device, in memory that it shares with this process (`V4L2_MEMORY_MMAP`), from one plane or
//! several. What the bytes mean is left to the module above.
//!
//! Crate `v4l` has streams too, but they are of no use after the first timeout and know no multi-planar devices.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use v4l::v4l_sys::*;

use super::device::{DQBUF, EXPBUF, Node, QBUF, QUERYBUF, REQBUFS, STREAMOFF, STREAMON, Uapi, ask};

/// Planes of the formats that are known here, at most.
pub(super) const PLANES: usize = 2;
/// Buffers that the driver fills in turn. With fewer, frames are lost while one is copied.
const BUFFERS: u32 = 4;

/// A device that delivers frames, until it is dropped.
pub(super) struct Stream {
    pub(super) node: Node,
    planes: usize,
    buffers: Vec<[Option<Mapping>; PLANES]>,
}

/// What happened while waiting.
pub(super) enum Wake {
    /// Nothing, for as long as was waited.
    Nothing,
    /// A frame is there, or the driver says why there will be none.
    Frame,
    /// The driver has something to tell.
    Event,
}

/// A frame as the driver filled it.
pub(super) struct Filled<'a> {
    /// The bytes of each plane that were written.
    pub(super) planes: [&'a [u8]; PLANES],
    /// Counted by the driver.
    pub(super) sequence: u32,
    /// The driver says that the bytes are damaged.
    pub(super) damaged: bool,
    /// When it was taken, by the monotonic clock of the system; `None` where the driver uses another one.
    pub(super) taken: Option<Duration>,
}

impl Stream {
    /// Starts the device, which delivers `planes` planes a frame.
    pub(super) fn start(node: Node, planes: usize) -> io::Result<Self> {
        let memory = v4l2_memory_V4L2_MEMORY_MMAP;
        let mut request =
            v4l2_requestbuffers { count: BUFFERS, type_: node.kind, memory, ..v4l2_requestbuffers::zeroed() };
        ask(&node.file, &REQBUFS, &mut request)?;
        let mut stream = Self { node, planes: planes.clamp(1, PLANES), buffers: Vec::new() };
        for index in 0..request.count {
            let mut room = [v4l2_plane::zeroed(); VIDEO_MAX_PLANES as usize];
            let mut buffer = stream.buffer(index, &mut room);
            ask(&stream.node.file, &QUERYBUF, &mut buffer)?;
            let mut mapped = [const { None }; PLANES];
            for (plane, mapping) in mapped.iter_mut().enumerate().take(stream.planes) {
                let (length, offset) = if stream.node.is_multi_planar() {
                    // SAFETY: of memory that is mapped, the driver wrote this member.
                    (room[plane].length, unsafe { room[plane].m.mem_offset })
                } else {
                    // SAFETY: as above.
                    (buffer.length, unsafe { buffer.m.offset })
                };
                *mapping = Some(Mapping::new(&stream.node, length as usize, offset)?);
            }
            stream.buffers.push(mapped);
            stream.give_back(index)?;
        }
        let mut kind = stream.node.kind;
        ask(&stream.node.file, &STREAMON, &mut kind)?;
        Ok(stream)
    }

    /// A buffer's description, with room for its planes where the device has several.
    fn buffer(&self, index: u32, room: &mut [v4l2_plane; VIDEO_MAX_PLANES as usize]) -> v4l2_buffer {
        let memory = v4l2_memory_V4L2_MEMORY_MMAP;
        let mut buffer = v4l2_buffer { index, type_: self.node.kind, memory, ..v4l2_buffer::zeroed() };
        if self.node.is_multi_planar() {
            buffer.m.planes = room.as_mut_ptr();
            buffer.length = VIDEO_MAX_PLANES;
        }
        buffer
    }

    fn give_back(&self, index: u32) -> io::Result<()> {
        let mut room = [v4l2_plane::zeroed(); VIDEO_MAX_PLANES as usize];
        ask(&self.node.file, &QBUF, &mut self.buffer(index, &mut room))
    }

    /// Waits for a frame or an event.
    pub(super) fn wait(&self, patience: Duration) -> io::Result<Wake> {
        let events = libc::POLLIN | libc::POLLPRI;
        let mut poll = libc::pollfd { fd: self.node.file.as_raw_fd(), events, revents: 0 };
        // Rounded up, so that a short rest is not waited for in a busy loop.
        let ms = patience.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
        // SAFETY: one structure is passed and said to be one.
        match unsafe { libc::poll(&raw mut poll, 1, ms) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Wake::Nothing),
                error => Err(error),
            },
            0 => Ok(Wake::Nothing),
            // An unplugged device reports everything at once: with POLLERR or POLLHUP, taking the frame tells the reason.
            _ if poll.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLPRI) == libc::POLLPRI => Ok(Wake::Event),
            _ => Ok(Wake::Frame),
        }
    }

    /// Takes the oldest frame, shows it to `read`, and gives its memory back to the driver; `None` when there is none
    /// after all.
    pub(super) fn take<T>(&mut self, read: impl FnOnce(Filled) -> T) -> io::Result<Option<T>> {
        let mut room = [v4l2_plane::zeroed(); VIDEO_MAX_PLANES as usize];
        let mut buffer = self.buffer(0, &mut room);
        match ask(&self.node.file, &DQBUF, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            taken => taken?,
        }
        let mapped = self.buffers.get(buffer.index as usize);
        let mapped = mapped.ok_or_else(|| io::Error::other(format!("the driver names a buffer {}", buffer.index)))?;
        let mut planes = [&[][..]; PLANES];
        for (plane, (bytes, mapping)) in planes.iter_mut().zip(mapped).enumerate() {
            let Some(mapping) = mapping else { continue };
            let (used, from) = if self.node.is_multi_planar() {
                (room[plane].bytesused as usize, room[plane].data_offset as usize)
            } else {
                (buffer.bytesused as usize, 0)
            };
            *bytes = mapping.bytes().get(from.min(used)..used.min(mapping.length)).unwrap_or_default();
        }
        let monotonic = buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        let time = buffer.timestamp;
        let filled = Filled {
            planes,
            sequence: buffer.sequence,
            damaged: buffer.flags & V4L2_BUF_FLAG_ERROR != 0,
            taken: monotonic.then(|| {
                Duration::from_secs(time.tv_sec.max(0) as u64) + Duration::from_micros(time.tv_usec.max(0) as u64)
            }),
        };
        let read = read(filled);
        self.give_back(buffer.index)?;
        Ok(Some(read))
    }

    /// A buffer's memory as a DMABUF, which other devices of this machine can read without a copy.
    pub(super) fn export(&self, index: u32, plane: u32) -> io::Result<OwnedFd> {
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u32;
        let mut wanted =
            v4l2_exportbuffer { type_: self.node.kind, index, plane, flags, ..v4l2_exportbuffer::zeroed() };
        ask(&self.node.file, &EXPBUF, &mut wanted)?;
        // SAFETY: the driver has just opened it for this process, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(wanted.fd) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut kind = self.node.kind;
        // An unplugged device refuses: then it has stopped already.
        let _stopped_already = ask(&self.node.file, &STREAMOFF, &mut kind);
        self.buffers.clear();
        let memory = v4l2_memory_V4L2_MEMORY_MMAP;
        let mut none = v4l2_requestbuffers { type_: kind, memory, ..v4l2_requestbuffers::zeroed() };
        let _gone_already = ask(&self.node.file, &REQBUFS, &mut none);
    }
}

/// Memory of the driver in this process.
struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: the memory belongs to the process, not to a thread; `Mapping` gives out shared views only.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(node: &Node, length: usize, offset: u32) -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: a new mapping at a place that the kernel chooses; the driver gave length and offset for it.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, flags, node.file.as_raw_fd(), offset.into())
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), length })
    }

    /// The bytes, while the driver does not own the buffer.
    fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped from `start` until `self` is dropped; between taking a buffer and giving it
        // back, which is when this is called, the driver does not write to it.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, once.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

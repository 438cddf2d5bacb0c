//! What a file is that should be a model and is none: a pointer, a page, an archive, another format. By its first bytes.

/// What such a file is, and how to go on; `None` where nothing else is known of it.
pub fn known(bytes: &[u8]) -> Option<&'static str> {
    let begins = |with: &[u8]| bytes.starts_with(with);
    let start: Vec<u8> = bytes.iter().copied().take(512).skip_while(|byte| byte.is_ascii_whitespace()).collect();
    let text = start.to_ascii_lowercase();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    if text.starts_with(b"version https://git-lfs") {
        return Some("it is a pointer of Git LFS, not the file itself: run `git lfs pull` where it was cloned");
    }
    if [&b"<!doctype html"[..], b"<html", b"<head"].iter().any(|tag| text.starts_with(tag)) {
        return Some("it is a page of HTML, such as one to sign in or an error: fetch the file itself");
    }
    if text.starts_with(b"<?xml") || text.starts_with(b"<net ") {
        return Some("it is XML, as OpenVINO's models are: export it as ONNX");
    }
    if text.starts_with(b"{") && text.len() > 1 && text[1..].trim_ascii_start().starts_with(b"\"") {
        return Some("it is JSON text: fetch the file itself");
    }
    if begins(b"PK\x03\x04") {
        return Some(
            "it is a ZIP archive, as PyTorch's checkpoints (.pt, .pth, .ckpt) are: unpack it, or export it as ONNX",
        );
    }
    if begins(b"\x1f\x8b") || begins(b"\xfd7zXZ") || begins(b"BZh") || begins(b"\x28\xb5\x2f\xfd") {
        return Some("it is a compressed file: unpack it first");
    }
    if begins(b"\x80\x02") || begins(b"\x80\x04") {
        return Some("it is a Python pickle, as PyTorch's checkpoints are: export it as ONNX");
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some("it is a model of TensorFlow Lite: export it as ONNX");
    }
    if begins(b"\x89HDF\r\n") {
        return Some("it is an HDF5 file, as models of Keras are: export it as ONNX");
    }
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    (start.len() > 3 && start.iter().all(is_text)).then_some("it is plain text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_where_a_model_should_is_told() {
        for (bytes, word) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"[..], "git lfs pull"),
            (b"\n <!DOCTYPE html><html>", "HTML"),
            (b"\xef\xbb\xbf<html lang=en>", "HTML"),
            (b"<?xml version=\"1.0\"?>", "OpenVINO"),
            (b"{\"error\": \"not found\"}", "JSON"),
            (b"PK\x03\x04\x14\0", "ZIP"),
            (b"\x1f\x8b\x08\0", "compressed"),
            (b"\x80\x02}q\0", "pickle"),
            (b"\x1c\0\0\0TFL3\x14", "TensorFlow Lite"),
            (b"\x89HDF\r\n\x1a\n", "Keras"),
            (b"Access denied\n", "plain text"),
        ] {
            let told = known(bytes).unwrap_or_default();
            assert!(told.contains(word), "{word}: {told}");
        }
        // An ONNX file begins with the version of its format.
        assert_eq!((known(b"\x08\x08\x12\x07pytorch"), known(b""), known(b"\0\0")), (None, None, None));
    }
}

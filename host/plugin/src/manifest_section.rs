// Included by `manifest.rs` and by the build script, which describes the built-in plugins.

/// Writes a custom section: id 0, its length, the length of its name, name, content. Lengths are LEB128.
fn append(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    fn leb(out: &mut Vec<u8>, mut value: usize) {
        loop {
            let low = (value & 0x7f).to_le_bytes()[0];
            value >>= 7;
            if value == 0 {
                out.push(low);
                return;
            }
            out.push(low | 0x80);
        }
    }
    let mut body = Vec::with_capacity(name.len() + content.len() + 5);
    leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    out.push(0);
    leb(out, body.len());
    out.extend_from_slice(&body);
}

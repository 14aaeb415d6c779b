//! A restricted reader of Python pickles: numbers, text, bytes, lists, tuples, dicts and numpy arrays of bytes and whole numbers.
//!
//! A pickle is a program that may call anything. This reader knows the handful of names that numpy's arrays need and refuses every
//! other by name, so nothing of the file ever runs. It is read once, through a small buffer: of long strings of bytes, which pixels
//! and encoded pictures are, only the place is noted. Short ones and text are kept, and all that is made is bounded by the length of
//! the file. (Python 3 writes bytes as text where it is told to write a protocol of Python 2; such pixels are kept too.) Protocols 0
//! to 5; of a pickle of Python 2, strings are bytes.
//! Source of the format: Python's `pickletools.py`, and numpy's `ndarray.__reduce__`.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use super::forward::Forward;
use super::value::{Array, Bytes, Global, Id, Value, kind, whole, widened};

/// Most values of a pickle: a list of every image of a large set is far below.
const MOST_VALUES: usize = 1 << 26;

/// Most bytes of a name (of a class, a label, a key or a type), as of the name of a file: a short pickle can refer to one text a
/// million times.
pub(super) const LONGEST_NAME: usize = 255;

/// A pickle that was read.
pub(super) struct Pickle {
    values: Vec<Value>,
    /// The value itself.
    pub(super) root: Id,
}

impl Pickle {
    /// Reads a file of `n_bytes`.
    ///
    /// # Errors
    /// A sentence with the place of what is not known or not whole.
    pub(super) fn read(file: &mut dyn BufRead, n_bytes: u64) -> Result<Self, String> {
        let mut machine = Machine {
            file: Forward::new(file, n_bytes),
            values: Vec::new(),
            stack: Vec::new(),
            memo: BTreeMap::new(),
            budget: Budget::new(usize::try_from(n_bytes).unwrap_or(usize::MAX)),
        };
        let root = machine.run()?;
        Ok(Self {
            values: machine.values,
            root,
        })
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    /// A value as a name of at most [`LONGEST_NAME`] bytes: text, or bytes that are text.
    pub(super) fn text(&self, id: Id) -> Option<String> {
        let bytes = match self.get(id) {
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes.kept()?,
            _ => return None,
        };
        let bytes = Some(bytes).filter(|bytes| bytes.len() <= LONGEST_NAME)?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

/// How many values a pickle may still make or copy. Python writes at least a byte for each, and reads its tuples once; a hostile
/// pickle notes a long one and uses it over and over.
struct Budget {
    whole: usize,
    left: usize,
}

impl Budget {
    fn new(n_bytes: usize) -> Self {
        let whole = n_bytes.saturating_mul(4).saturating_add(1 << 20);
        Self { whole, left: whole }
    }

    fn take(&mut self, n_values: usize) -> Result<(), String> {
        let left = self.left.checked_sub(n_values);
        self.left = left.ok_or_else(|| {
            format!(
                "it makes or copies more than {} values, which no pickle of its length needs",
                self.whole
            )
        })?;
        Ok(())
    }
}

/// The stack machine that a pickle is a program of.
struct Machine<'f> {
    file: Forward<'f>,
    values: Vec<Value>,
    stack: Vec<Id>,
    memo: BTreeMap<usize, Id>,
    budget: Budget,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let start = self.file.at();
            let code = self.file.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.step(code)
                .map_err(|problem| format!("at byte {start}: {problem}"))?;
        }
    }

    #[allow(clippy::too_many_lines, reason = "one line an instruction")]
    fn step(&mut self, code: u8) -> Result<(), String> {
        match code {
            // Protocol and frame: nothing that matters here.
            0x80 => self.file.skip(1)?,
            0x95 => self.file.skip(8)?,
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Int(1))?,
            0x89 => self.push(Value::Int(0))?,
            b'I' | b'L' => {
                let line = self.file.line()?;
                let number = line.trim_end_matches('L').parse();
                self.push(Value::Int(
                    number.map_err(|_| not_a(&line, "whole number"))?,
                ))?;
            }
            b'J' => {
                let number = i32::from_le_bytes(self.file.array()?);
                self.push(Value::Int(number.into()))?;
            }
            b'K' => {
                let number = self.file.byte()?;
                self.push(Value::Int(number.into()))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.file.array()?);
                self.push(Value::Int(number.into()))?;
            }
            0x8a => {
                let n_bytes = self.file.byte()?.into();
                let bytes = self.file.take(n_bytes)?;
                let number = whole_number(&bytes)?;
                self.push(Value::Int(number))?;
            }
            b'F' => {
                let line = self.file.line()?;
                let _: f64 = line.parse().map_err(|_| not_a(&line, "number"))?;
                self.push(Value::Float)?;
            }
            b'G' => {
                self.file.skip(8)?;
                self.push(Value::Float)?;
            }
            b'U' | b'C' => {
                let n_bytes = self.file.byte()?.into();
                self.push_bytes(n_bytes)?;
            }
            b'T' | b'B' => {
                let n_bytes = u32::from_le_bytes(self.file.array()?);
                self.push_bytes(n_bytes as usize)?;
            }
            0x8e | 0x96 => {
                let n_bytes = self.file.long_length()?;
                self.push_bytes(n_bytes)?;
            }
            b'S' => {
                let line = self.file.line()?;
                let quoted = line
                    .strip_prefix(['\'', '"'])
                    .and_then(|rest| rest.strip_suffix(['\'', '"']));
                let text = quoted.filter(|text| !text.contains('\\'));
                let text = text.ok_or_else(|| not_a(&line, "plain string"))?;
                self.push(Value::Text(text.to_owned()))?;
            }
            0x8c => {
                let n_bytes = self.file.byte()?.into();
                self.push_text(n_bytes)?;
            }
            b'X' => {
                let n_bytes = u32::from_le_bytes(self.file.array()?);
                self.push_text(n_bytes as usize)?;
            }
            0x8d => {
                let n_bytes = self.file.long_length()?;
                self.push_text(n_bytes)?;
            }
            b'V' => {
                let text = unescaped(&self.file.line_of_bytes()?)?;
                self.push(Value::Text(text))?;
            }
            b']' | b')' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'(' => self.push(Value::Mark)?,
            b'l' | b't' => {
                let items = self.since_mark()?;
                self.push(Value::List(items))?;
            }
            0x85..=0x87 => {
                let n_items = usize::from(code - 0x84);
                let items = self.top(n_items)?;
                self.push(Value::List(items))?;
            }
            b'd' => {
                let items = self.since_mark()?;
                let pairs = pairs(&items)?;
                self.push(Value::Dict(pairs))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let items = self.top(2)?;
                self.insert(&items)?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.insert(&items)?;
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = self.peek()?;
                self.stack.push(top);
            }
            b'p' | b'g' => {
                let line = self.file.line()?;
                let key = line.parse().map_err(|_| not_a(&line, "key of the memo"))?;
                self.note_or_get(key, code == b'p')?;
            }
            b'q' | b'h' => {
                let key = self.file.byte()?.into();
                self.note_or_get(key, code == b'q')?;
            }
            b'r' | b'j' => {
                let key = u32::from_le_bytes(self.file.array()?);
                self.note_or_get(key as usize, code == b'r')?;
            }
            0x94 => self.note_or_get(self.memo.len(), true)?,
            b'c' => {
                let (module, name) = (self.file.line()?, self.file.line()?);
                self.push_global(&module, &name)?;
            }
            0x93 => {
                let names = self.top(2)?;
                let [module, name] = [names[0], names[1]].map(|id| match &self.values[id] {
                    Value::Text(text) => text.clone(),
                    _ => String::new(),
                });
                self.push_global(&module, &name)?;
            }
            b'R' | 0x81 => {
                let called = self.top(2)?;
                let value = self.call(called[0], called[1])?;
                self.push(value)?;
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.peek()?;
                self.build(object, state)?;
            }
            other => {
                return Err(format!(
                    "instruction {other:#04x} is not among those of arrays, lists and dicts"
                ));
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} values"));
        }
        self.budget.take(1)?;
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn push_bytes(&mut self, n_bytes: usize) -> Result<(), String> {
        // What may be a name, a number or a byte order is kept.
        let bytes = if n_bytes <= LONGEST_NAME {
            Bytes::Kept(Arc::new(self.file.take(n_bytes)?))
        } else {
            let (start, n_bytes) = (self.file.at(), n_bytes as u64);
            self.file.skip(n_bytes)?;
            Bytes::InFile { start, n_bytes }
        };
        self.push(Value::Bytes(bytes))
    }

    fn push_text(&mut self, n_bytes: usize) -> Result<(), String> {
        let text = String::from_utf8(self.file.take(n_bytes)?);
        let text = text.map_err(|error| error.utf8_error().to_string())?;
        self.push(Value::Text(text))
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let global = Global::of(module, name).ok_or_else(|| {
            format!("it names {module}.{name}, which is no part of arrays, lists and dicts; nothing of it was run")
        })?;
        self.push(Value::Global(global))
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| "its stack is empty".into())
    }

    fn peek(&self) -> Result<Id, String> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| "its stack is empty".into())
    }

    fn top(&mut self, n_items: usize) -> Result<Vec<Id>, String> {
        let start = self.stack.len().checked_sub(n_items);
        Ok(self.stack.split_off(start.ok_or("its stack is empty")?))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let is_mark = |id: &Id| matches!(self.values[*id], Value::Mark);
        let mark = self.stack.iter().rposition(is_mark).ok_or("no mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn note_or_get(&mut self, key: usize, notes: bool) -> Result<(), String> {
        if notes {
            let top = self.peek()?;
            self.memo.insert(key, top);
        } else {
            let id = self.memo.get(&key).ok_or("a value that was never noted")?;
            self.stack.push(*id);
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.peek()?;
        match &mut self.values[list] {
            Value::List(known) => known.extend(items),
            other => return Err(format!("{} is no list", kind(other))),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), String> {
        let new = pairs(items)?;
        let dict = self.peek()?;
        match &mut self.values[dict] {
            Value::Dict(known) => known.extend(new),
            other => return Err(format!("{} is no dict", kind(other))),
        }
        Ok(())
    }

    fn items(&mut self, id: Id) -> Result<Vec<Id>, String> {
        match &self.values[id] {
            Value::List(items) => {
                self.budget.take(items.len())?;
                Ok(items.clone())
            }
            other => Err(format!("{} where a tuple belongs", kind(other))),
        }
    }

    fn shape(&mut self, id: Id) -> Result<Vec<usize>, String> {
        let items = self.items(id)?;
        let length = |id: &Id| match &self.values[*id] {
            Value::Int(length) => usize::try_from(*length).map_err(|error| error.to_string()),
            other => Err(format!("{} where a length belongs", kind(other))),
        };
        items.iter().map(length).collect()
    }

    fn call(&mut self, function: Id, arguments: Id) -> Result<Value, String> {
        let arguments = self.items(arguments)?;
        let Value::Global(global) = self.values[function] else {
            return Err(format!("{} is called", kind(&self.values[function])));
        };
        let argument = |at: usize| {
            let id = arguments.get(at).copied();
            id.ok_or_else(|| format!("{global:?} lacks an argument"))
        };
        match global {
            // The state comes with the next instruction.
            Global::Reconstruct | Global::Ndarray => Ok(Value::Array(Array::default())),
            Global::OrderedDict => Ok(Value::Dict(Vec::new())),
            Global::Dtype => {
                let (name, n_bytes) = match &self.values[argument(0)?] {
                    Value::Text(text) => (Some(text.as_bytes()), text.len() as u64),
                    Value::Bytes(bytes) => (bytes.kept(), bytes.n_bytes()),
                    other => {
                        return Err(format!("{} where the name of a type belongs", kind(other)));
                    }
                };
                let Some(name) = name.filter(|name| name.len() <= LONGEST_NAME) else {
                    return Err(format!("the name of a type has {n_bytes} bytes"));
                };
                self.budget.take(name.len())?;
                Ok(Value::Dtype(String::from_utf8_lossy(name).into_owned()))
            }
            Global::FromBuffer => Ok(Value::Array(Array {
                dtype: self.dtype(argument(1)?)?,
                shape: self.shape(argument(2)?)?,
                data: Some(self.bytes(argument(0)?)?),
                objects: None,
            })),
            Global::Scalar => {
                let dtype = self.dtype(argument(0)?)?;
                let bytes = self.bytes(argument(1)?)?;
                let number = bytes.kept().and_then(|bytes| whole(&dtype, bytes));
                number
                    .map(Value::Int)
                    .ok_or_else(|| format!("a number of type {dtype}"))
            }
            // What Python 3 makes of bytes under protocols of Python 2.
            Global::Encode => match &self.values[argument(0)?] {
                Value::Text(text) => {
                    self.budget.take(text.len())?;
                    let latin1 = |c: char| u8::try_from(u32::from(c));
                    let bytes = text.chars().map(latin1).collect::<Result<Vec<u8>, _>>();
                    let bytes = bytes.map_err(|_| "text that is not Latin-1")?;
                    Ok(Value::Bytes(Bytes::Kept(Arc::new(bytes))))
                }
                other => Err(format!("{} where text belongs", kind(other))),
            },
        }
    }

    fn dtype(&mut self, id: Id) -> Result<String, String> {
        match &self.values[id] {
            Value::Dtype(name) => {
                self.budget.take(name.len())?;
                Ok(name.clone())
            }
            other => Err(format!("{} where a type belongs", kind(other))),
        }
    }

    fn bytes(&self, id: Id) -> Result<Bytes, String> {
        match &self.values[id] {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(format!("{} where bytes belong", kind(other))),
        }
    }

    fn build(&mut self, object: Id, state: Id) -> Result<(), String> {
        match &self.values[object] {
            Value::Dtype(name) => {
                // (version, byte order, ...): whole numbers of more than a byte have to be little-endian.
                let order = match &self.values[state] {
                    Value::List(items) => items.get(1).map(|id| &self.values[*id]),
                    other => return Err(format!("{} where a tuple belongs", kind(other))),
                };
                let is_big = match order {
                    Some(Value::Text(order)) => order == ">",
                    Some(Value::Bytes(bytes)) => bytes.kept() == Some(b">"),
                    _ => false,
                };
                if is_big && !name.ends_with('1') {
                    return Err(format!("numbers of type {name} with the high byte first"));
                }
                Ok(())
            }
            Value::Array(_) => {
                let state = self.items(state)?;
                let [_, shape, dtype, is_fortran, data] = state[..] else {
                    return Err(format!("an array with a state of {} parts", state.len()));
                };
                if matches!(self.values[is_fortran], Value::Int(1)) {
                    return Err("an array in the order of Fortran".into());
                }
                let mut array = Array {
                    dtype: self.dtype(dtype)?,
                    shape: self.shape(shape)?,
                    ..Array::default()
                };
                match &self.values[data] {
                    Value::List(objects) => {
                        self.budget.take(objects.len())?;
                        array.objects = Some(objects.clone());
                    }
                    _ => array.data = Some(self.bytes(data)?),
                }
                self.values[object] = Value::Array(array);
                Ok(())
            }
            other => Err(format!("{} is given a state", kind(other))),
        }
    }
}

/// Python's `raw-unicode-escape`: Latin-1, and other letters as `\u` with four digits or `\U` with eight.
fn unescaped(line: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let n_digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            (latin1, _) => {
                text.push(char::from(*latin1));
                continue;
            }
        };
        let digits = after
            .get(1..=n_digits)
            .and_then(|it| std::str::from_utf8(it).ok());
        let letter = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        text.push(letter.ok_or("a letter that is none")?);
        rest = &after[1 + n_digits..];
    }
    Ok(text)
}

/// A number of Python's: two's complement, low byte first.
fn whole_number(bytes: &[u8]) -> Result<i64, String> {
    if bytes.len() > 8 {
        return Err("a whole number of more than 64 bits".into());
    }
    Ok(widened(bytes, true))
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks();
    if !rest.is_empty() {
        return Err("a key without a value".into());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

fn not_a(line: &str, what: &str) -> String {
    format!("{line:?} is no {what}")
}

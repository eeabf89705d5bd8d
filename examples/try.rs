use steadyhand::authoring::*; use steadyhand::runbook::source::place::FileName;
fn main(){
 let mut files=vec![];
 for a in std::env::args().skip(1){ let text=std::fs::read_to_string(&a).unwrap(); files.push(SourceFile{name:FileName::new(&a),text}); }
 let t=std::time::Instant::now();
 let c=check(&files);
 for p in &c.problems { println!("{}:{}:{}: [{}] {} = {}", p.place.file,p.place.span.line,p.place.span.column,p.code.as_str(),p.message,p.cure); }
 println!("{} files, {} problems, set {}, {:?}", files.len(), c.problems.len(), c.set.is_some(), t.elapsed());
}
